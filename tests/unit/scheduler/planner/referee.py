"""Plays a plan move by move, asking a scheduler that has seen nothing before each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.planner.evacuation import in_need
from minicloud_core.scheduler.planner.plan import Plan
from minicloud_core.scheduler.policy import Policy

NOW = 1_000_000.0


def play(fleet: Fleet, plan: Plan, policy: Policy, *, closed: Iterable[str] = (), dead: str | None = None) -> Fleet:
    """The fleet after a plan. Every move is legal on its own: the VM is where it is said to be, and the host takes it.

    :param closed: hosts that take nothing meanwhile.
    :param dead: the host whose VMs are nowhere. Room that was kept for its failure is used.
    """
    policy = policy if dead is None else in_need(policy)
    twin = fleet.copy()
    for host in closed:
        twin.close(host)
    lost = {}
    if dead is not None:
        lost = {vm: twin.request_of(vm) for vm in twin.vms() if twin.where(vm) == dead}
        twin.close(dead, "down")
        for vm in lost:
            twin.remove(vm)
    for move in plan.moves:
        assert move.source != move.target
        if move.vm in lost:
            assert move.source == dead
            request = lost.pop(move.vm)
        else:
            assert twin.where(move.vm) == move.source
            request = replace(twin.request_of(move.vm), source=move.source)
            twin.remove(move.vm)
        refused = {one.host: one.reasons for one in place(twin, request, policy, now=NOW).refused}
        assert move.target not in refused, f"{move} is refused: {refused[move.target]}"
        Scheduler(twin, policy).settle(move.vm, move.target, replace(request, source=None))
    assert sorted(lost) == (sorted(stay.vm for stay in plan.stays) if dead is not None else [])
    return twin


def homes(fleet: Fleet) -> dict[str, str | None]:
    """Where each VM is."""
    return {vm: fleet.where(vm) for vm in fleet.vms()}
