"""The inventory's views, for tools that cannot reach the database."""

from __future__ import annotations

from minicloud.store import inventory

from .authorisation import scope
from .context import Actor, Context
from .view.inventory import Inventory

__all__ = ["Inventory", "read"]


def read(ctx: Context, actor: Actor) -> Inventory:
    """What the actor may see: its project's VMs; hosts, with their addresses and key files, only for an admin."""
    with ctx.read() as session:
        hosts = inventory.hosts(session) if actor.role == "admin" else ()
        vms = inventory.vms(session, project=scope(actor))
        return Inventory(tuple(hosts), tuple(vms))
