"""Many at once: one VM a name, one run an operation, no host beyond its limits."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from minicloud.services import admission, allocation, creation, host, operation, project, reservation, vm
from minicloud.services.context import Context, Idempotency
from minicloud.services.reservation_wish import ReservationWish
from minicloud.services.standing_fleet import StandingFleet
from minicloud.services.turn import Turns
from minicloud.services.view.operation import OperationView
from minicloud.services.view.project import Quota
from minicloud.services.view.reservation import ReservationView
from minicloud.services.view.vm import VmCreation
from minicloud.services.vm_wish import VmWish
from minicloud.store import allocation as allocations
from minicloud_core.model.errors import ConflictError, NoCapacityError, QuotaError
from minicloud_core.model.reservation import parse_reservation
from minicloud_core.model.vm import VmSpec
from minicloud_core.scheduler.pipeline import Scheduler

from tests.server.world import ADMIN, LEASE, FixedClock, World

Answer = TypeVar("Answer")

ON_POSTGRES = pytest.mark.parametrize("store", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)


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


def test_a_migration_that_was_overtaken_is_placed_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fleet("node1", "node2", "node3", cpu=1)
    world.running("late", host="node1")
    decide, overtaken = allocation.decide, []

    def overtake(*arguments: object) -> object:
        decision = decide(*arguments)  # type: ignore[arg-type]
        if not overtaken:
            overtaken.append(decision.host)
            # Somebody fills the chosen host between the decision and its commit.
            for number in range(4):
                world.create(f"rival{number}", host=decision.host)
        return decision

    monkeypatch.setattr(allocation, "decide", overtake)
    moved = world.change("late", "migrate")
    assert moved.operation is not None
    assert {moved.operation.destination, overtaken[0]} == {"node2", "node3"}
    assert world.get_host(overtaken[0]).allocated.cpu == 4


def test_a_migration_that_is_always_overtaken_is_placed_under_the_lock(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fleet("node1", "node2")
    world.running("patient", host="node1")
    decide, count = allocation.decide, []

    def overtake(*arguments: object) -> object:
        decision = decide(*arguments)  # type: ignore[arg-type]
        count.append(decision)
        if len(count) == 1:
            touch(world, "node2")
        return decision

    monkeypatch.setattr(allocation, "decide", overtake)
    moved = world.change("patient", "migrate")
    assert moved.operation is not None and moved.operation.destination == "node2"
    assert len(count) == 2


# SQLite has one writer: there, nobody can come between.
@ON_POSTGRES
def test_a_create_that_another_service_overtakes_is_decided_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fleet("node1", "node2", cpu=1)
    project.create(world.ctx, ADMIN, "rivals", Quota())
    rival, real, seen = elsewhere(world), StandingFleet.scheduler, []

    def overtake(fleet: StandingFleet, *arguments: Any) -> Scheduler:
        scheduler = real(fleet, *arguments)
        if fleet is not world.ctx.fleet:
            return scheduler
        seen.append(fleet)
        if len(seen) == 1:
            # What the first of equals would be given, another service gives away.
            for number in range(4):
                vm.create(rival.ctx, ADMIN, world.spec(f"rival{number}", host="node1"), project="rivals")
        return scheduler

    monkeypatch.setattr(StandingFleet, "scheduler", overtake)
    assert world.create("late").vm.host == "node2"
    assert world.get_host("node1").allocated.cpu == 4


@ON_POSTGRES
def test_a_create_that_was_overtaken_locks_the_hosts_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fleet("node1")
    real, seen = StandingFleet.scheduler, []

    def overtake(fleet: StandingFleet, *arguments: Any) -> Scheduler:
        scheduler = real(fleet, *arguments)
        seen.append(fleet)
        if len(seen) == 1:
            touch(world, "node1")
        return scheduler

    monkeypatch.setattr(StandingFleet, "scheduler", overtake)
    assert world.create("patient").vm.host == "node1"
    assert len(seen) == 2
    assert world.get_host("node1").allocated.cpu == 1


def test_what_waits_together_is_admitted_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Creates that come while one is under way share the next transaction; each has an answer of its own."""
    world.fleet("node1", "node2")
    project.set_quota(world.ctx, ADMIN, "default", Quota(vms=6))
    gate, sizes, admit = threading.Event(), [], creation.admit

    def slow(ctx: Context, wishes: Sequence[VmWish]) -> object:
        sizes.append(len(wishes))
        if len(sizes) == 1:
            gate.wait(10)
        return admit(ctx, wishes)

    monkeypatch.setattr(creation, "admit", slow)
    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(world.create, "first")
        wait_for(lambda: sizes == [1])
        crowd = [pool.submit(world.create, f"vm{number}") for number in range(8)]
        twin = pool.submit(world.create, "vm0")
        wait_for(lambda: waiting(world) == 9)
        gate.set()
        ends = [future.exception() for future in crowd]
        assert first.result().created
    assert sizes[0] == 1
    # A twin has to see what the other made: it goes in the turn after.
    assert sizes[1:] == [8, 1]
    assert Counter(type(end) for end in ends) == {type(None): 5, QuotaError: 3}
    assert len({operation.vm for operation in operations(world)}) == 6
    if ends[0] is None:
        assert twin.result().vm.id == crowd[0].result().vm.id
        assert {twin.result().created, crowd[0].result().created} == {True, False}


def test_one_that_breaks_the_transaction_fails_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fleet("node1")
    real = admission.create_command

    def breaking(spec: VmSpec, *arguments: str) -> str:
        if spec.name == "poison":
            raise RuntimeError("nobody thought of this")
        return real(spec, *arguments)

    monkeypatch.setattr(admission, "create_command", breaking)
    wishes = [VmWish(ADMIN, world.spec(name), "default") for name in ("good", "poison", "fine")]
    turns: Turns[VmWish, VmCreation] = Turns()
    gate = threading.Event()

    def slow(jobs: Sequence[VmWish]) -> object:
        gate.wait(10)
        return admission.admit(world.ctx, jobs)

    with ThreadPoolExecutor(4) as pool:
        blocker = pool.submit(turns.take, VmWish(ADMIN, world.spec("first"), "default"), slow)
        wait_for(lambda: turns.waiting == 0 and turns.busy)
        futures = [pool.submit(turns.take, wish, slow) for wish in wishes]
        wait_for(lambda: turns.waiting == 3)
        gate.set()
        assert blocker.result().created
        assert isinstance(futures[1].exception(), RuntimeError)
        assert futures[0].result().created and futures[2].result().created
    assert {one.name for one in vm.list(world.ctx, ADMIN).items} == {"first", "good", "fine"}


def touch(world: World, name: str) -> None:
    """Move a host's generation without changing what fits."""
    host.cordon(world.ctx, ADMIN, name)
    host.uncordon(world.ctx, ADMIN, name)


def elsewhere(world: World) -> World:
    """Another service on the same database."""
    other = World.__new__(World)
    other.ctx = replace(world.ctx, creates=Turns(), reservations=Turns(), fleet=StandingFleet())
    other.clock = world.clock
    return other


def operations(world: World) -> Sequence[OperationView]:
    return operation.list(world.ctx, ADMIN).items


def waiting(world: World) -> int:
    return world.ctx.creates.waiting


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


def test_a_crowd_that_reserves_uses_and_creates_fills_hosts_and_not_beyond(world: World) -> None:
    world.fleet("node1", "node2", "node3", cpu=1, ram_mib=8192)
    ahead = elsewhere(world)
    # Two services, one of whose clocks is ahead: it takes for over what the other has held.
    ahead.ctx = replace(ahead.ctx, clock=FixedClock(world.clock.now() + timedelta(seconds=60)))
    rooms = [reserve(world, ttl=30)[0] for _time in range(6)]
    calls: list[Callable[[], object]] = []
    for number, room in enumerate(rooms):
        spec = world.spec(f"in{number}", ram=64)
        calls.append(lambda spec=spec, room=room: vm.create(world.ctx, ADMIN, spec, reservation=room.id))  # type: ignore[misc]
        calls.append(lambda number=number: ahead.create(f"vm{number}", ram=64))  # type: ignore[misc]
        calls.append(lambda: reserve(ahead, ttl=600))
        calls.append(lambda: reserve(world, ttl=600))
    answers = at_once(calls)
    errors = [one for one in answers if isinstance(one, Exception)]
    assert all(isinstance(error, (NoCapacityError, ConflictError)) for error in errors), errors
    with world.ctx.read() as session:
        promised = allocations.totals(session, world.clock.now())
    # One thread a host, four virtual CPUs each; by the clock that is behind, which counts the most.
    assert {name: share[1] for name, share in promised.items()} == {"node1": 4, "node2": 4, "node3": 4}
    held = reservation.list(world.ctx, ADMIN, state="held", limit=100).items
    assert len(held) + len(vm.list(world.ctx, ADMIN).items) == 12


def test_reservations_that_wait_together_are_admitted_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fleet("node1", "node2", cpu=1)
    gate, sizes, admit = threading.Event(), [], reservation.admit

    def slow(ctx: Context, wishes: Sequence[ReservationWish]) -> object:
        sizes.append(len(wishes))
        if len(sizes) == 1:
            gate.wait(10)
        return admit(ctx, wishes)

    monkeypatch.setattr(reservation, "admit", slow)
    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(reserve, world, ttl=60)
        wait_for(lambda: sizes == [1])
        crowd = [pool.submit(reserve, world, ttl=60) for _number in range(9)]
        wait_for(lambda: world.ctx.reservations.waiting == 9)
        gate.set()
        ends = [future.exception() for future in crowd]
        assert first.result()[0].state == "held"
    assert sizes == [1, 9]
    assert Counter(type(end) for end in ends) == {type(None): 7, NoCapacityError: 2}


# SQLite has one writer: there, nobody can come between.
@ON_POSTGRES
def test_a_reservation_that_another_service_overtakes_is_decided_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fleet("node1", "node2", cpu=1)
    project.create(world.ctx, ADMIN, "rivals", Quota())
    rival, real, seen = elsewhere(world), StandingFleet.scheduler, []

    def overtake(fleet: StandingFleet, *arguments: Any) -> Scheduler:
        scheduler = real(fleet, *arguments)
        if fleet is not world.ctx.fleet:
            return scheduler
        seen.append(fleet)
        if len(seen) == 1:
            reserve(rival, ttl=60, project="rivals", cpu=4, host="node1")
        return scheduler

    monkeypatch.setattr(StandingFleet, "scheduler", overtake)
    assert reserve(world, ttl=60)[0].host == "node2"
    assert world.get_host("node1").allocated.cpu == 4


def reserve(world: World, *, project: str | None = None, **body: Any) -> list[ReservationView]:
    spec = parse_reservation({"ram": 64, **body})
    return [one.reservation for one in reservation.create(world.ctx, ADMIN, [spec], project=project)]
