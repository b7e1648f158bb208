"""What comes of a batch: whom the quota lets in, what of it fits, and what its groups make of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from minicloud_core.model.batch import BatchSpec
from minicloud_core.model.errors import BatchError, MinicloudError
from minicloud_core.scheduler.batch import Batch, BatchDecision, LeftOut, rehearse_batch
from minicloud_core.scheduler.group import Group, NewVm

from .admission import Admission, Admitted, Asked, Decided
from .placement_record import Refusal
from .view.vm import VmCreation
from .vm_wish import VmWish, vm_id

_WHY: Final = "that one's own problem says why"


def decide(admission: Admission, batch: BatchSpec, wishes: Sequence[VmWish], *, first: int) -> dict[str, Decided]:
    """Decide about a batch. The fleet stays as it is, and nothing is charged to the quota.

    :param wishes: one for each VM of the batch, in its order.
    :param first: the number of the first VM that is new; the others follow.
    :returns: by name what comes of each, in the order in which it was decided: what has a host, in an order in which
        each step is legal, comes before what found none.
    """
    numbers = _name(admission, wishes, first)
    looked_at = _examine(admission, batch, [(wish, numbers.get(wish.spec.name, 0)) for wish in wishes])
    asked = {name: one for name, one in looked_at.items() if isinstance(one, Asked)}
    decided: dict[str, Decided] = {name: one for name, one in looked_at.items() if not isinstance(one, Asked)}
    decided |= _place(admission, batch, asked)
    for one in asked.values():
        admission.ledger.refund(one.wish, one.image)
    if batch.whole:
        decided = _all_or_none(decided)
    for name, number in numbers.items():
        if not isinstance(decided[name], Admitted):
            admission.fleet.names.forget(vm_id(number))
    return decided


def _name(admission: Admission, wishes: Sequence[VmWish], first: int) -> dict[str, int]:
    """Number those that are new, by name, and let them speak of one another."""
    new = [wish for wish in wishes if admission.ledger.existing(wish) is None]
    for number, wish in enumerate(new, first):
        admission.fleet.names.note(wish.project, wish.spec.name, vm_id(number))
    return {wish.spec.name: number for number, wish in enumerate(new, first)}


def _examine(
    admission: Admission, batch: BatchSpec, wishes: Sequence[tuple[VmWish, int]]
) -> dict[str, Asked | VmCreation | MinicloudError]:
    """Look at each wish as if it were alone, but for the quota, which counts those before it."""
    by_name = {wish.spec.name: (wish, number) for wish, number in wishes}
    found: dict[str, Asked | VmCreation | MinicloudError] = {}
    for group, members in batch.units():
        looked_at = {name: _examine_one(admission, *by_name[name]) for name in members}
        failing = next((name for name, one in looked_at.items() if isinstance(one, MinicloudError)), None)
        for name, one in looked_at.items():
            if failing is not None and isinstance(one, Asked):
                admission.ledger.refund(one.wish, one.image)
                found[name] = _torn(group, failing)
            else:
                found[name] = one
    return found


def _examine_one(admission: Admission, wish: VmWish, number: int) -> Asked | VmCreation | MinicloudError:
    try:
        asked = admission.examine(wish, number)
    except MinicloudError as error:
        return error
    if isinstance(asked, Asked):
        admission.ledger.charge(asked.wish, asked.image)
    return asked


def _place(admission: Admission, batch: BatchSpec, asked: Mapping[str, Asked]) -> dict[str, Decided]:
    """Find hosts for those that may be. Of a group, those that are there already have theirs."""
    groups: list[Group] = []
    alone: list[NewVm] = []
    for group, members in batch.units():
        wanted = tuple(NewVm(asked[name].vm, asked[name].request) for name in members if name in asked)
        if group is None:
            alone += wanted
        elif wanted:
            groups.append(Group(group, wanted))
    decision = rehearse_batch(admission.scheduler, Batch(tuple(groups), tuple(alone)), now=admission.now)
    by_id = {one.vm: one for one in asked.values()}
    decided: dict[str, Decided] = {}
    for vm, _host in decision.placed:
        decided[by_id[vm.id].wish.spec.name] = Admitted.of(by_id[vm.id], decision.decisions[vm.id])
    for left in decision.left_out:
        decided |= _refuse(left, decision, by_id)
    return decided


def _refuse(left: LeftOut, decision: BatchDecision, asked: Mapping[str, Asked]) -> Iterator[tuple[str, Decided]]:
    """What is told to a VM that found no host, and to those that were to be placed with it."""
    wish = asked[left.because].wish
    yield wish.spec.name, Refusal.of(wish, decision.decisions[left.because])
    for vm in left.vms:
        if vm != left.because:
            yield asked[vm].wish.spec.name, _torn(left.group, wish.spec.name)


def _torn(group: str | None, failing: str) -> BatchError:
    message = f"group {group} is made whole or not at all, and {failing} may not be"
    return BatchError(message, hint=_WHY, details={"group": group, "because": failing})


def _all_or_none(decided: Mapping[str, Decided]) -> dict[str, Decided]:
    """Where one may not be, nobody is new."""
    failing = next((name for name, one in decided.items() if isinstance(one, (Refusal, MinicloudError))), None)
    if failing is None:
        return dict(decided)
    message = f"the batch is made whole or not at all, and {failing} may not be"
    return {
        name: BatchError(message, hint=_WHY, details={"because": failing, "host": one.host})
        if isinstance(one, Admitted)
        else one
        for name, one in decided.items()
    }
