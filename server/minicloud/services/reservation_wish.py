"""Reservations that somebody wishes for together: all of them, or none."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

from minicloud_core.model.reservation import ReservationSpec

from .context import Actor, Idempotency
from .vm_wish import VmWish


@dataclass(frozen=True)
class ReservationWish:
    """A request for reservations.

    :param listed: whether it came as a list, so that problems say which of it they are about.
    """

    actor: Actor
    items: tuple[ReservationSpec, ...]
    project: str
    listed: bool = False
    idempotency: Idempotency | None = None

    @cached_property
    def rooms(self) -> tuple[VmWish, ...]:
        """For each the VM that would have the room. The key that locks for one locks for all."""
        return tuple(VmWish(self.actor, item.needs, self.project, idempotency=self.idempotency) for item in self.items)

    @property
    def names(self) -> list[str]:
        """Those that were given."""
        return [item.name for item in self.items if item.name is not None]

    @property
    def keys(self) -> frozenset[Hashable]:
        """Its names, which are taken once, and its Idempotency-Key, which answers once."""
        names: frozenset[Hashable] = frozenset(("reservation", self.project, name) for name in self.names)
        return names if self.idempotency is None else names | {("key", self.idempotency.key)}
