"""Many VMs at once, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, cast

from .transport import Transport
from .vm import Vm


class BatchItem(TypedDict, total=False):
    """One VM of a batch: ``vm`` as a create answers it, or ``problem``, as problem+json has it."""

    name: str
    vm: Vm
    problem: dict[str, Any]


class Batch(TypedDict):
    """What came of a batch, VM by VM in the order given."""

    items: list[BatchItem]
    created: int
    refused: int


class Batches:
    """``/v1/batches``.

    :param project: where VMs are made; None for the token's own.
    """

    def __init__(self, transport: Transport, project: str | None = None) -> None:
        self._transport = transport
        self._project = project

    def create(self, batch: Mapping[str, Any], *, dry_run: bool = False, idempotency_key: str | None = None) -> Batch:
        """Ask for many VMs at once.

        :param batch: ``vms``, a list of what :meth:`Vms.create` takes; perhaps ``groups``, each with ``name``, ``vms``
            (names) and ``spread``, made all or none; perhaps ``all``, to make nothing unless all may be made.
        :param dry_run: only say where each would go, and why.
        :raises ApiError: nothing is made; ``details["items"]`` says of each VM why.
        """
        params = {"dry_run": "true" if dry_run else None, "project": self._project}
        return cast(
            Batch,
            self._transport.json(
                "POST", "/v1/batches", body=batch, params=params, timeout=60.0, idempotency_key=idempotency_key
            ),
        )
