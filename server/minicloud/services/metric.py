"""Figures of the fleet."""

from __future__ import annotations

from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store import reservation as reservations
from minicloud.store import vm as vms

from .context import Context
from .view.metric import Counts

__all__ = ["Counts", "counts"]


def counts(ctx: Context) -> Counts:
    """How many operations, hosts, VMs and reservations are in which state."""
    with ctx.read() as session:
        return Counts(
            operations=dict(operations.counts(session)),
            hosts=dict(hosts.counts(session)),
            vms=dict(vms.counts(session)),
            reservations=dict(reservations.counts(session, ctx.clock.now())),
        )
