"""Batches, as services show them."""

from __future__ import annotations

from dataclasses import dataclass

from minicloud_core.model.errors import MinicloudError

from .vm import VmCreation


@dataclass(frozen=True)
class BatchItem:
    """What came of one VM of a batch: its creation, or why it may not be."""

    name: str
    creation: VmCreation | None
    error: MinicloudError | None

    @classmethod
    def of(cls, name: str, answer: VmCreation | MinicloudError) -> BatchItem:
        return cls(name, None, answer) if isinstance(answer, MinicloudError) else cls(name, answer, None)


@dataclass(frozen=True)
class BatchCreation:
    """The answer to a batch.

    :param items: in the order in which the VMs were given.
    :param replayed: the Idempotency-Key was seen before; this is what it made then. Errors come without their figures.
    """

    items: tuple[BatchItem, ...]
    replayed: bool = False

    @property
    def created(self) -> int:
        """How many VMs are new; on a dry run, how many would be."""
        return sum(item.creation is not None and item.creation.created for item in self.items)

    @property
    def refused(self) -> int:
        """How many may not be."""
        return sum(item.error is not None for item in self.items)
