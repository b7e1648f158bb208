"""Operations: claimed under a lease with an epoch, tried again, given up, taken back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from minicloud.services import host, observation, operation
from minicloud.services.view.operation import Claim, Entry, Outcome
from minicloud.store import run as runs
from minicloud_core.model.errors import ConflictError, LeaseLostError, NotFoundError
from minicloud_core.model.operation import DEFAULT_TRIES, TRIES
from sqlalchemy import Engine, event

from tests.server.world import ADMIN, LEASE, START, World

BROKEN = {"code": "minicloud.hypervisor.failed", "message": "QEMU said no"}


@pytest.fixture
def fleet(world: World) -> World:
    world.fleet("node1", "node2")
    return world


def fail(world: World, claim: Claim, *, retry: bool = True, state: str | None = None) -> operation.OperationView:
    result = None if state is None else {"state": state}
    return operation.finish(world.ctx, claim, Outcome.failed(BROKEN, retry=retry, result=result))


def exhaust(world: World, kind: str) -> operation.OperationView:
    """Let every try fail."""
    for _time in range(TRIES.get(kind, DEFAULT_TRIES)):
        world.clock.advance(120)
        last = fail(world, world.start(world.claim_one()))
    return last


def test_a_claim_takes_the_next_epoch_and_a_lease(fleet: World) -> None:
    fleet.create()
    claim = fleet.claim_one()
    assert (claim.epoch, claim.attempt, claim.owner) == (1, 1, "runner")
    assert (claim.lease_until - START).total_seconds() == LEASE
    assert claim.order["epoch"] == 1 and claim.order["operation"] == claim.operation
    assert fleet.operation(claim.operation).state == "claimed"
    assert fleet.vm().epoch == 1
    assert fleet.claim() == ()


def test_the_oldest_is_claimed_first_and_a_fence_before_all(fleet: World) -> None:
    fleet.create("a")
    fleet.create("b")
    host.register(fleet.ctx, ADMIN, host.HostSpec("node2", "10.77.0.12", fence={"agent": "fence_lab"}))
    host.fence(fleet.ctx, ADMIN, "node2")
    for name in ("c", "d"):
        fleet.create(name, host="node1")
    order = [fleet.claim(1)[0] for _time in range(3)]
    assert order[0].kind == "host.fence"
    assert [fleet.vm(str(claim.vm)).host for claim in order[1:]] == ["node1", "node1"]
    numbers = [int(str(claim.vm).removeprefix("vm-")) for claim in order[1:]]
    assert numbers == sorted(numbers)


def test_what_a_host_cannot_do_now_waits(fleet: World) -> None:
    made = fleet.create()
    observation.record_silence(fleet.ctx, str(made.vm.host), "no route")
    assert fleet.claim() == ()
    fleet.clock.advance(1)
    fleet.observe(str(made.vm.host))
    assert fleet.claim_one().vm == made.vm.id


def test_only_asked_for_kinds_are_claimed(fleet: World) -> None:
    fleet.create()
    assert operation.claim(fleet.ctx, "runner", 10, LEASE, kinds={"vm.delete"}) == ()
    assert len(operation.claim(fleet.ctx, "runner", 10, LEASE, kinds={"vm.create"})) == 1


def test_a_run_appends_renews_and_finishes(fleet: World) -> None:
    fleet.create()
    claim = fleet.start(fleet.claim_one())
    operation.append(fleet.ctx, [(claim, [Entry(START, "task", {"name": "Make the VMs"}), Entry(START, "result")])])
    fleet.clock.advance(20)
    renewal = operation.renew(fleet.ctx, [claim], LEASE)
    assert renewal.kept == (claim.operation,) and not renewal.lost and not renewal.cancelled
    done = fleet.succeed(claim, "running")
    assert (done.state, done.run, done.error) == ("succeeded", "run-1", None)
    assert done.result == {"state": "running", "changed": True}
    assert done.ended_at == fleet.clock.now()
    first, second = operation.events(fleet.ctx, ADMIN, claim.operation)
    assert (first.kind, first.data, second.kind) == ("task", {"name": "Make the VMs"}, "result")
    assert operation.events(fleet.ctx, ADMIN, claim.operation, after=first.number) == (second,)


def test_a_lease_that_ran_out_is_taken_over_and_its_run_can_do_nothing(fleet: World) -> None:
    fleet.create()
    late = fleet.start(fleet.claim_one())
    fleet.clock.advance(LEASE + 1)
    assert operation.expire(fleet.ctx) == 1
    waiting = fleet.operation(late.operation)
    assert waiting.state == "queued"
    assert waiting.reasons[-1]["rule"] == "operation.expired"
    successor = fleet.start(fleet.claim_one(), "run-2")
    assert successor.epoch == late.epoch + 1
    for write in (
        lambda: operation.finish(fleet.ctx, late, Outcome.succeeded({"state": "stopped"})),
        lambda: operation.release(fleet.ctx, late, "late"),
    ):
        with pytest.raises(LeaseLostError):
            write()
    assert operation.renew(fleet.ctx, [late], LEASE).lost == (late.operation,)
    assert operation.started(fleet.ctx, [late], "run-1") == ()
    assert operation.append(fleet.ctx, [(late, [Entry(START, "task")])]) == (late.operation,)
    assert fleet.operation(late.operation).state == "running"
    assert operation.events(fleet.ctx, ADMIN, late.operation) == ()
    fleet.succeed(successor, "running")
    assert fleet.vm().status == "running"


def test_a_lease_that_holds_is_not_expired(fleet: World) -> None:
    fleet.create()
    fleet.claim_one()
    fleet.clock.advance(LEASE)
    assert operation.expire(fleet.ctx) == 0


def test_a_claim_given_back_costs_no_try(fleet: World) -> None:
    fleet.create()
    claim = fleet.claim_one()
    operation.release(fleet.ctx, claim, "the service is stopping")
    again = fleet.claim_one()
    assert (again.attempt, again.epoch) == (1, 2)


def test_a_failure_worth_another_try_waits_longer_each_time(fleet: World) -> None:
    fleet.create()
    waits = []
    for _time in range(4):
        view = fail(fleet, fleet.start(fleet.claim_one()))
        assert view.state == "queued"
        assert fleet.claim() == ()
        waits.append((view.not_before - fleet.clock.now()).total_seconds())
        fleet.clock.at = view.not_before
    for wait, whole in zip(waits, (2, 4, 8, 16), strict=True):
        assert whole / 2 <= wait <= whole
    assert [reason["numbers"]["try"] for reason in view.reasons[2:]] == [1, 2, 3, 4]
    assert "QEMU said no" in view.reasons[-1]["message"]


def test_an_unreachable_host_is_tried_again(fleet: World) -> None:
    fleet.create()
    view = operation.finish(fleet.ctx, fleet.start(fleet.claim_one()), Outcome.unreachable("no route to host"))
    assert view.state == "queued"
    assert view.error is not None and view.error["code"] == "minicloud.host.unreachable"


def test_what_is_not_worth_another_try_fails_at_once(fleet: World) -> None:
    fleet.running()
    fleet.change("web01", "stop")
    view = fail(fleet, fleet.start(fleet.claim_one()), retry=False)
    assert (view.state, view.error) == ("failed", BROKEN)
    assert fleet.vm().status == "error"
    assert "QEMU said no" in fleet.vm().status_reason


@pytest.mark.parametrize("kind", ["vm.create", "vm.stop"])
def test_tries_are_bounded(fleet: World, kind: str) -> None:
    if kind == "vm.create":
        fleet.create()
    else:
        fleet.running()
        fleet.change("web01", "stop")
    view = exhaust(fleet, kind)
    assert (view.state, view.tries) == ("failed", TRIES.get(kind, DEFAULT_TRIES))
    assert fleet.vm().status == "error"
    assert fleet.claim() == ()


def test_a_failed_create_keeps_its_room_while_something_may_run(fleet: World) -> None:
    made = fleet.create()
    fail(fleet, fleet.start(fleet.claim_one()), retry=False)
    assert fleet.vm().host == made.vm.host
    assert fleet.get_host(str(made.vm.host)).allocated.cpu == 1


def test_a_failed_create_of_which_nothing_is_there_gives_its_room_back(fleet: World) -> None:
    made = fleet.create()
    fail(fleet, fleet.start(fleet.claim_one()), retry=False, state="absent")
    assert (fleet.vm().host, fleet.vm().status) == (None, "error")
    assert fleet.get_host(str(made.vm.host)).allocated.cpu == 0
    with pytest.raises(ConflictError, match="on no host"):
        fleet.change("web01", "start")
    assert fleet.change("web01", "delete").vm.status == "deleted"


def test_a_migration_that_failed_stays_where_it_was_seen(fleet: World) -> None:
    before = fleet.running()
    fleet.change("web01", "migrate")
    fail(fleet, fleet.start(fleet.claim_one()), retry=False, state="running")
    after = fleet.vm()
    assert (after.host, after.status) == (before.host, "running")
    assert sum(fleet.get_host(name).allocated.cpu for name in ("node1", "node2")) == 1


def test_a_migration_whose_end_nobody_saw_keeps_both_rooms_until_hosts_tell(fleet: World) -> None:
    before = fleet.running()
    there = str(fleet.change("web01", "migrate").operation.destination)  # type: ignore[union-attr]
    fail(fleet, fleet.start(fleet.claim_one()), retry=False)
    assert fleet.vm().status == "unknown"
    assert [fleet.get_host(name).allocated.cpu for name in ("node1", "node2")] == [1, 1]
    fleet.clock.advance(1)
    fleet.observe(str(before.host))
    fleet.observe(there, {"web01": "running"})
    assert (fleet.vm().host, fleet.vm().status) == (there, "running")
    assert fleet.get_host(str(before.host)).allocated.cpu == 0
    assert fleet.get_host(there).allocated.cpu == 1


def test_a_migration_that_left_the_vm_at_its_source_gives_the_other_room_back(fleet: World) -> None:
    before = fleet.running()
    there = str(fleet.change("web01", "migrate").operation.destination)  # type: ignore[union-attr]
    fail(fleet, fleet.start(fleet.claim_one()), retry=False)
    fleet.clock.advance(1)
    fleet.observe(there)
    fleet.observe(str(before.host), {"web01": "running"})
    assert (fleet.vm().host, fleet.vm().status) == (before.host, "running")
    assert fleet.get_host(there).allocated.cpu == 0


def test_cancelling_what_waits_is_immediate(fleet: World) -> None:
    fleet.running()
    stop = fleet.change("web01", "stop").operation
    assert stop is not None
    assert operation.cancel(fleet.ctx, ADMIN, stop.id).state == "cancelled"
    assert (fleet.vm().status, fleet.vm().desired) == ("running", "running")
    with pytest.raises(ConflictError, match="cancelled already"):
        operation.cancel(fleet.ctx, ADMIN, stop.id)


def test_cancelling_a_create_that_never_began_removes_the_vm(fleet: World) -> None:
    made = fleet.create()
    assert made.operation is not None
    operation.cancel(fleet.ctx, ADMIN, made.operation.id)
    with pytest.raises(NotFoundError):
        fleet.vm()
    assert fleet.get_host(str(made.vm.host)).allocated.cpu == 0


def test_cancelling_a_create_that_runs_stops_it_and_removes_what_it_left(fleet: World) -> None:
    fleet.create()
    claim = fleet.start(fleet.claim_one())
    asked = operation.cancel(fleet.ctx, ADMIN, claim.operation)
    assert (asked.state, asked.cancel_requested) == ("running", True)
    assert operation.renew(fleet.ctx, [claim], LEASE).cancelled == (claim.operation,)
    assert operation.finish(fleet.ctx, claim, Outcome.cancelled()).state == "cancelled"
    assert fleet.vm().status == "deleting"
    removal = fleet.claim_one()
    assert removal.kind == "vm.delete"
    fleet.succeed(fleet.start(removal), "absent")
    with pytest.raises(NotFoundError):
        fleet.vm()


def test_cancelling_a_migration_that_waits_gives_the_second_room_back(fleet: World) -> None:
    before = fleet.running()
    moving = fleet.change("web01", "migrate").operation
    assert moving is not None
    operation.cancel(fleet.ctx, ADMIN, moving.id)
    assert (fleet.vm().host, fleet.vm().status) == (before.host, "running")
    assert fleet.get_host(str(moving.destination)).allocated.cpu == 0


def test_a_verb_cancelled_on_its_way_leaves_the_observer_to_tell(fleet: World) -> None:
    home = str(fleet.running().host)
    fleet.change("web01", "stop")
    claim = fleet.start(fleet.claim_one())
    operation.cancel(fleet.ctx, ADMIN, claim.operation)
    # A run that dies on being told to stop reports a failure: it is cancelled all the same.
    assert fail(fleet, claim).state == "cancelled"
    assert (fleet.vm().status, fleet.vm().desired) == ("unknown", "running")
    fleet.clock.advance(1)
    fleet.observe(home, {"web01": "running"})
    assert fleet.vm().status == "running"


def test_a_success_that_came_before_the_cancel_stays_one(fleet: World) -> None:
    fleet.create()
    claim = fleet.start(fleet.claim_one())
    operation.cancel(fleet.ctx, ADMIN, claim.operation)
    assert fleet.succeed(claim, "running").state == "succeeded"
    assert fleet.vm().status == "running"


def test_a_delete_cannot_be_taken_back(fleet: World) -> None:
    fleet.running()
    removal = fleet.change("web01", "delete").operation
    assert removal is not None
    with pytest.raises(ConflictError, match="cannot be taken back"):
        operation.cancel(fleet.ctx, ADMIN, removal.id)


def test_a_failed_delete_is_an_error_and_can_be_tried_again(fleet: World) -> None:
    fleet.running()
    fleet.change("web01", "delete")
    fail(fleet, fleet.start(fleet.claim_one()), retry=False)
    assert (fleet.vm().status, fleet.vm().desired) == ("error", "absent")
    fleet.change("web01", "delete")
    fleet.carry_out("absent")
    with pytest.raises(NotFoundError):
        fleet.vm()


def test_a_terminal_renews_and_reports_by_epoch(fleet: World) -> None:
    from minicloud.services import vm

    made = vm.create(fleet.ctx, ADMIN, fleet.spec(), claim="ann@laptop:7", lease_seconds=20)
    assert made.claim is not None
    name, epoch = made.claim.operation, made.claim.epoch
    fleet.clock.advance(15)
    view = operation.lease(fleet.ctx, ADMIN, name, epoch, 40)
    assert view.state == "running" and view.lease_until is not None
    assert (view.lease_until - fleet.clock.now()).total_seconds() == 40
    with pytest.raises(LeaseLostError):
        operation.report(fleet.ctx, ADMIN, name, epoch + 1, Outcome.succeeded({"state": "running"}))
    assert operation.report(fleet.ctx, ADMIN, name, epoch, Outcome.succeeded({"state": "running"})).state == "succeeded"
    assert fleet.vm().status == "running"
    with pytest.raises(LeaseLostError):
        operation.lease(fleet.ctx, ADMIN, name, epoch)


def test_a_terminal_that_dies_is_replaced_by_the_service(fleet: World) -> None:
    from minicloud.services import vm

    made = vm.create(fleet.ctx, ADMIN, fleet.spec(), claim="ann@laptop:7", lease_seconds=20)
    fleet.clock.advance(21)
    assert operation.expire(fleet.ctx) == 1
    assert fleet.carry_out("running").state == "succeeded"
    assert made.claim is not None
    with pytest.raises(LeaseLostError):
        operation.report(fleet.ctx, ADMIN, made.claim.operation, made.claim.epoch, Outcome.succeeded({}))


def test_waiting_ends_with_the_operation(fleet: World) -> None:
    made = fleet.create()
    assert made.operation is not None
    assert operation.wait(fleet.ctx, ADMIN, made.operation.id, 0.01).state == "queued"
    timer = threading.Timer(0.1, lambda: fleet.carry_out("running"))
    timer.start()
    assert operation.wait(fleet.ctx, ADMIN, made.operation.id, 20).state == "succeeded"
    timer.join()


def test_lists_filter_and_show_the_newest_first(fleet: World) -> None:
    fleet.running("a")
    fleet.running("b")
    fleet.change("a", "stop")
    assert [one.kind for one in operation.list(fleet.ctx, ADMIN, vm="a").items] == ["vm.stop", "vm.create"]
    assert len(operation.list(fleet.ctx, ADMIN, state="queued").items) == 1
    assert len(operation.list(fleet.ctx, ADMIN, kind="vm.create").items) == 2
    page = operation.list(fleet.ctx, ADMIN, limit=2)
    assert len(operation.list(fleet.ctx, ADMIN, limit=2, cursor=page.next).items) == 1
    with pytest.raises(NotFoundError):
        operation.get(fleet.ctx, ADMIN, "op-none")


def test_a_run_ends_its_operations_together_but_for_what_it_lost(fleet: World) -> None:
    for name in ("a", "b", "c"):
        fleet.create(name)
    first, late, last = operation.started(fleet.ctx, fleet.claim(), "run-1")
    fleet.clock.advance(1)
    operation.finish(fleet.ctx, late, Outcome.unreachable("no route to host"))
    ends = [
        (first, Outcome.succeeded({"state": "running"})),
        (late, Outcome.succeeded({"state": "running"})),
        (last, Outcome.failed(BROKEN, retry=False, result={"state": "absent"})),
    ]
    assert operation.finish_all(fleet.ctx, ends) == (late.operation,)
    states = [fleet.operation(claim.operation).state for claim in (first, late, last)]
    assert states == ["succeeded", "queued", "failed"]
    assert [fleet.vm(name).status for name in ("a", "b", "c")] == ["running", "provisioning", "error"]
    with fleet.ctx.read() as session:
        run = runs.lock(session, "run-1")
        assert run is not None
        assert (run.operations, run.ended, run.ended_at) == (3, 3, fleet.clock.now())


def test_many_cost_no_more_statements_than_a_few(fleet: World) -> None:
    """A claim's, a run's and an end's statements are for all of its operations, not for each."""
    few, many = (_statements(fleet, count) for count in (3, 12))
    assert many == few


def _statements(world: World, count: int) -> list[int]:
    """How many statements it takes to carry out so many creates: to claim, begin, renew, tell, and end them."""
    for number in range(count):
        world.create(f"vm{count}-{number}", cpu=1, ram=64)
    said = 0

    def count_one(*_arguments: object) -> None:
        nonlocal said
        said += 1

    def cost(step: Callable[[], Any]) -> tuple[Any, int]:
        nonlocal said
        said = 0
        return step(), said

    event.listen(Engine, "before_cursor_execute", count_one)
    try:
        claims, claiming = cost(lambda: world.claim(limit=64))
        assert len(claims) == count
        kept, beginning = cost(lambda: operation.started(world.ctx, claims, f"run-{count}"))
        _renewal, renewing = cost(lambda: operation.renew(world.ctx, kept, LEASE))
        logs = [(claim, [Entry(START, "task", {"task": "Make the VMs"})]) for claim in kept]
        _lost, telling = cost(lambda: operation.append(world.ctx, logs))
        ends = [(claim, Outcome.succeeded({"state": "running"})) for claim in kept]
        _late, ending = cost(lambda: operation.finish_all(world.ctx, ends))
    finally:
        event.remove(Engine, "before_cursor_execute", count_one)
    return [claiming, beginning, renewing, telling, ending]
