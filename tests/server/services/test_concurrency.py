"""Many at once: one VM a name, one run an operation, no host beyond its limits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from minicloud.services import operation, project, reservation, vm
from minicloud.services.context import Idempotency
from minicloud.services.view.project import Quota
from minicloud_core.model.errors import NoCapacityError, QuotaError

from tests.server.world import ADMIN, LEASE, World

Answer = TypeVar("Answer")


def at_once(calls: Sequence[Callable[[], Answer]]) -> list[Answer | Exception]:
    """Run calls on threads of their own that start together."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer | Exception:
        barrier.wait()
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_ten_identical_creates_make_one_vm(world: World) -> None:
    world.fleet("node1", "node2", "node3")
    answers = at_once([lambda: vm.create(world.ctx, ADMIN, world.spec()) for _time in range(10)])
    made = [answer for answer in answers if not isinstance(answer, Exception)]
    assert len(made) == 10, answers
    assert {one.vm.id for one in made} == {"vm-101"}
    assert Counter(one.created for one in made) == {True: 1, False: 9}
    assert len(operation.list(world.ctx, ADMIN).items) == 1
    assert sum(host.allocated.cpu for host in map(world.get_host, ("node1", "node2", "node3"))) == 1


def test_ten_creates_with_one_key_make_one_vm(world: World) -> None:
    world.fleet("node1", "node2")
    key = Idempotency("k-1", "POST /v1/vms", "f" * 64)
    answers = at_once([lambda: vm.create(world.ctx, ADMIN, world.spec(), idempotency=key) for _time in range(10)])
    made = [answer for answer in answers if not isinstance(answer, Exception)]
    assert len(made) == 10, answers
    assert {one.vm.id for one in made} == {"vm-101"}
    assert all(one.created for one in made)
    assert sum(not one.replayed for one in made) == 1


def test_a_crowd_fills_hosts_to_the_brim_and_not_beyond(world: World) -> None:
    world.fleet("node1", "node2", "node3", cpu=1, ram_mib=8192)
    answers = at_once([lambda n=n: world.create(f"vm{n}", ram=512) for n in range(20)])  # type: ignore[misc]
    made = [answer for answer in answers if not isinstance(answer, Exception)]
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(error, NoCapacityError) for error in refused), refused
    # One thread a host, four virtual CPUs each.
    assert len(made) == 12
    assert [world.get_host(name).allocated.cpu for name in ("node1", "node2", "node3")] == [4, 4, 4]
    assert len({one.vm.id for one in made}) == 12


def test_a_quota_holds_against_a_crowd(world: World) -> None:
    world.fleet("node1", "node2")
    project.set_quota(world.ctx, ADMIN, "default", Quota(vms=3))
    answers = at_once([lambda n=n: world.create(f"vm{n}") for n in range(8)])  # type: ignore[misc]
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(refused) == 5
    assert all(isinstance(error, QuotaError) for error in refused), refused


def test_eight_runners_never_share_an_operation(world: World) -> None:
    world.fleet("node1", "node2")
    for number in range(12):
        world.create(f"vm{number}", ram=64)
    rounds = []
    for _time in range(8):
        answers = at_once(
            [lambda n=n: operation.claim(world.ctx, f"runner-{n}", 3, LEASE) for n in range(8)]  # type: ignore[misc]
        )
        assert not [answer for answer in answers if isinstance(answer, Exception)], answers
        rounds += [claim for answer in answers if not isinstance(answer, Exception) for claim in answer]
    assert Counter(Counter(claim.operation for claim in rounds).values()) == {1: 12}
    assert Counter(claim.epoch for claim in rounds) == {1: 12}


def test_a_placement_that_was_overtaken_is_made_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fleet("node1", "node2", cpu=1)
    decide, overtaken = reservation.decide, []

    def overtake(*arguments: object) -> object:
        decision = decide(*arguments)  # type: ignore[arg-type]
        if not overtaken:
            overtaken.append(decision.host)
            # Somebody fills the chosen host between the decision and its commit.
            for number in range(4):
                world.create(f"rival{number}", host=decision.host)
        return decision

    monkeypatch.setattr(reservation, "decide", overtake)
    made = world.create("late")
    assert made.vm.host != overtaken[0]
    assert world.get_host(overtaken[0]).allocated.cpu == 4


def test_one_that_is_always_overtaken_decides_under_the_lock(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fleet("node1")
    from minicloud.services import host

    decide, count = reservation.decide, []

    def overtake(*arguments: object) -> object:
        decision = decide(*arguments)  # type: ignore[arg-type]
        count.append(decision)
        if len(count) == 1:
            # Moves the generation without changing what fits.
            host.cordon(world.ctx, ADMIN, "node1")
            host.uncordon(world.ctx, ADMIN, "node1")
        return decision

    monkeypatch.setattr(reservation, "decide", overtake)
    with_luck = world.create("patient")
    assert with_luck.vm.host == "node1"
    assert len(count) == 2
