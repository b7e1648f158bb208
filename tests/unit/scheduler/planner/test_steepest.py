"""The best move is the best of all, as found by trying each pair of a VM and a host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.planner import steepest
from minicloud_core.scheduler.planner.aim import Aim
from minicloud_core.scheduler.planner.draft import Draft
from minicloud_core.scheduler.planner.objective import Balance, Ledger
from minicloud_core.scheduler.planner.steepest import Found, Steepest
from minicloud_core.scheduler.policy import SPREAD
from minicloud_core.scheduler.request import Request

from tests.unit.scheduler.planner.drawn import GIB, Situation, situations
from tests.unit.scheduler.planner.referee import NOW


def every_move(draft: Draft, aim: Aim) -> Iterator[tuple[float, str, int, float]]:
    """All moves that are legal, by what they change and cost."""
    before = Ledger(draft.fleet).balance().score
    mean = sum(host.ram_mib for host in draft.fleet.hosts) / len(draft.fleet)
    for vm in draft.fleet.vms():
        if not draft.may_move(vm):
            continue
        cost = aim.move_cost * draft.request_of(vm).ram_mib / mean / len(draft.fleet)
        for row, host in enumerate(draft.fleet.hosts):
            if host.id != draft.where(vm) and draft.takes(vm, host.id):
                draft.move(vm, host.id)
                change = Ledger(draft.fleet).balance().score - before
                draft.undo(len(draft.moves) - 1)
                yield change + cost, vm, row, change


def searched(draft: Draft, aim: Aim) -> Steepest:
    return Steepest(draft, [vm for vm in draft.fleet.vms() if draft.may_move(vm)], aim)


@settings(deadline=None, max_examples=50)
@given(situations(), st.sampled_from([Aim(0, 0), Aim(0.05, 0), Aim(0.0, 0.3)]), st.sampled_from([128, 2, 1]))
def test_the_best_move_is_the_best_of_all(situation: Situation, aim: Aim, classes: int) -> None:
    """However few classes sizes are put into."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steepest, "_CLASSES", classes)
        compare(situation, aim)


def compare(situation: Situation, aim: Aim) -> None:
    draft = Draft(situation.fleet, situation.policy, NOW)
    search = searched(draft, aim)
    for _turn in range(4):
        # A search that lives through moves, one that is new, and all moves one by one.
        search.forget()
        found, fresh = search.best(), searched(draft, aim).best()
        moves = sorted(every_move(draft, aim))
        worth = -max(aim.min_gain / len(draft.fleet), 1e-7)
        if found is None or fresh is None:
            assert found == fresh
            assert not moves or moves[0][0] >= worth - 1e-7
            return
        check(found, moves, worth)
        check(fresh, moves, worth)
        draft.move(found.vm, draft.fleet.hosts[found.row].id)
        search.moved(found.vm, found.row)


def check(found: Found, moves: list[tuple[float, str, int, float]], worth: float) -> None:
    whole, change = next((move[0], move[3]) for move in moves if move[1:3] == (found.vm, found.row))
    assert found.change == pytest.approx(change, abs=1e-7)
    assert whole == pytest.approx(moves[0][0], abs=1e-7)
    assert whole < worth + 1e-7


def test_of_moves_that_are_alike_it_is_the_first_vms_to_the_first_host() -> None:
    fleet = Fleet(HostView(name, 8, 16 * GIB) for name in "abc")
    for vm in ("v3", "v1", "v2"):
        fleet.add(vm, "b", Request(1, GIB))
    found = searched(Draft(fleet, SPREAD, NOW), Aim()).best()
    assert found is not None
    assert (found.vm, found.row) == ("v1", 0)


def test_the_score_is_made_of_standard_deviations() -> None:
    fleet = Fleet([HostView("a", 4, 8 * GIB, 1000), HostView("b", 8, 8 * GIB, 0), HostView("c", 4, GIB, cordoned=True)])
    fleet.add("v", "a", Request(2, 2 * GIB, 500))
    fleet.add("w", "c", Request(4, GIB))
    # 25% and 0% of memory, 0.5 and 0 CPUs a thread; one host alone has a disk, and "c" takes no VMs.
    assert Ledger(fleet).balance() == Balance(memory=0.125, disk=0.0, cpu=pytest.approx(0.25))
    assert Ledger(fleet).balance(2).score == pytest.approx(2.375)
    assert Ledger(fleet).balance(2).to_mapping() == {
        "score": 2.375, "memory": 0.125, "disk": 0.0, "cpu": 0.25, "violations": 2,
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [{"min_gain": -1}, {"move_cost": float("nan")}, {"until": -0.1}, {"at_most": -1}])
def test_an_aim_has_to_make_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .* is right"):
        Aim(**wrong)
