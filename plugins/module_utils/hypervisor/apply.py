# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Carrying out one order on one host."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..model.errors import MinicloudError, StaleEpochError
from .completion import VmRequest, complete, derive_uuid, read_uuid
from .definition import Definition
from .domain_work import DomainWork
from .host import Hypervisor
from .inspection import Inspection, find, inspect
from .lock import exclusive
from .plan import Plan, plan
from .power import Power
from .result import ItemResult
from .wanted import wanted_definition

# Beyond an order's own time: whoever holds the VM may have to wait for its guest.
_LOCK_MARGIN: Final = 60.0


def identify(hypervisor: Hypervisor, mapping: Mapping[str, Any]) -> str:
    """The UUID of the VM that an order is about, whether it exists or not.

    :raises UnmanagedError: when a domain of somebody else has its place.
    :raises ConflictError: when it is not clear which VM is meant.
    :raises InputError: when its UUID is none.
    """
    if mapping.get("uuid"):
        return read_uuid(mapping["uuid"])
    vm_id, name = str(mapping.get("id") or ""), str(mapping.get("name") or "")
    found = find(hypervisor.connection, vm_id=vm_id, name=name, project=str(mapping.get("project") or ""))
    return found.definition.uuid if found else derive_uuid(hypervisor.uuid, vm_id or name)


def apply_order(hypervisor: Hypervisor, mapping: Mapping[str, Any], *, check: bool = False) -> ItemResult:
    """Make a VM what an order asks for; never raises for what goes wrong with this one.

    :param mapping: as :func:`.completion.complete` takes it.
    :param check: only say what would be done.
    """
    result = ItemResult.of(mapping)
    run = _Run(hypervisor, result)
    started = time.monotonic()
    try:
        uuid = identify(hypervisor, mapping)
        named = {**mapping, "uuid": uuid}
        if check:
            run.foresee(named)
        else:
            patience = float(mapping.get("wait") or 60) + float(mapping.get("graceful") or 20) + _LOCK_MARGIN
            with exclusive(hypervisor.layout.lock(uuid), timeout=patience):
                run.carry_out(named)
    except MinicloudError as error:
        result.error = error
    except Exception as error:  # a defect met by one item must not take the others along
        result.error = MinicloudError(f"{type(error).__name__}: {error}", hint="this is a defect of minicloud")
    result.seconds = time.monotonic() - started
    return result


def check_epoch(vm_id: str, epoch: int, known: Definition) -> None:
    """Refuse an order that is older than the last one carried out here.

    :raises StaleEpochError: with both epochs.
    """
    if epoch < known.metadata.epoch:
        raise StaleEpochError(
            f"{vm_id} is at epoch {known.metadata.epoch} on this host, and the order is of epoch {epoch}",
            hint="a later run has taken over; nothing is to be done here",
            details={"epoch": known.metadata.epoch, "order": epoch},
        )


def describe(found: Inspection | None) -> dict[str, Any]:
    """What a diff shows of a domain."""
    return {"state": "absent"} if found is None else {"state": found.state, **found.definition.to_mapping()}


@dataclass(frozen=True)
class _Decision:
    """What was found, what is wanted, and how one becomes the other."""

    request: VmRequest
    known: Inspection | None
    wanted: Definition
    plan: Plan


class _Run:
    """One order under way. What is known of its outcome goes into the result as soon as it is known."""

    def __init__(self, hypervisor: Hypervisor, result: ItemResult) -> None:
        self._hypervisor = hypervisor
        self._result = result

    def foresee(self, mapping: Mapping[str, Any]) -> None:
        """Say what would be done."""
        decision = self._decide(mapping)
        target = decision.request.order.state
        if target == "present":
            target = decision.known.state if decision.known else "stopped"
        self._result.changed = decision.plan.changed
        self._result.state = target
        self._result.after = (
            {"state": "absent"} if target == "absent" else {"state": target, **decision.wanted.to_mapping()}
        )

    def carry_out(self, mapping: Mapping[str, Any]) -> None:
        """Do it."""
        decision = self._decide(mapping)
        work = DomainWork(self._hypervisor, decision.request, decision.wanted)
        if decision.request.order.state == "absent":
            self._result.changed = work.remove(decision.known)
            self._result.state, self._result.after = "absent", describe(None)
        elif decision.known is None:
            self._create(work, decision)
        else:
            self._change(work, decision, decision.known)

    def _decide(self, mapping: Mapping[str, Any]) -> _Decision:
        connection, result = self._hypervisor.connection, self._result
        known = find(connection, uuid=mapping["uuid"], vm_id=str(mapping.get("id") or ""))
        definition = known.definition if known else None
        result.state, result.before = known.state if known else "absent", describe(known)
        request = complete(mapping, definition, self._hypervisor.uuid)
        order = request.order
        result.id = order.id
        result.extra["uuid"] = order.uuid
        if definition is None:
            # Its id may have been derived just now: the name must be free as well.
            find(connection, uuid=order.uuid, vm_id=order.id)
        else:
            check_epoch(order.id, order.epoch, definition)
        wanted = wanted_definition(request, self._hypervisor.layout.images, definition)
        return _Decision(request, known, wanted, plan(wanted, definition, result.state, order.state, order.action))

    def _create(self, work: DomainWork, decision: _Decision) -> None:
        try:
            with work.create() as domain:
                self._switch(domain, decision)
                self._settle(domain)
        except BaseException:
            # Whatever had been made is gone again.
            self._result.changed, self._result.state, self._result.after = False, "absent", describe(None)
            raise
        self._result.changed = True

    def _change(self, work: DomainWork, decision: _Decision, known: Inspection) -> None:
        work.change(known, decision.plan)
        self._result.changed = decision.plan.definition == "change"
        try:
            self._switch(known.domain, decision)
        finally:
            self._settle(known.domain)

    def _switch(self, domain: Any, decision: _Decision) -> None:
        order = decision.request.order
        power = Power(domain, self._hypervisor.watch, order.id, wait=order.wait, graceful=order.graceful)
        try:
            for step in decision.plan.power:
                power.take(step)
                self._result.changed = True
        finally:
            self._result.extra["forced"] = power.forced

    def _settle(self, domain: Any) -> None:
        now = inspect(domain)
        self._result.state, self._result.after = now.state, describe(now)
        self._result.extra["restart_required"] = now.restart_required
