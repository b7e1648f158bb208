"""Whatever happens, in whatever order: rooms match VMs, one run a VM, epochs grow, nobody is left half-way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from minicloud.services import host, observation, operation, placement
from minicloud.services.context import Context
from minicloud.services.view.operation import Claim, Outcome
from minicloud.store import allocation as allocations
from minicloud.store import operation as operations
from minicloud.store import vm as vms
from minicloud.store.operation import HELD
from minicloud.store.store import Store
from minicloud.store.vm import VmRow
from minicloud_core.model.errors import ConflictError, LeaseLostError, MinicloudError, NoCapacityError
from minicloud_core.model.operation import OPEN

from tests.server.conftest import empty
from tests.server.world import ADMIN, LEASE, FixedClock, PlainSettings, SeededEntropy, World

NAMES = st.sampled_from(["a", "b", "c"])
HOSTS = ("node1", "node2")
VERBS = st.sampled_from(["start", "stop", "reboot", "pause", "resume", "migrate", "delete"])
STATES = st.sampled_from(["running", "stopped", "paused", "absent"])
UNDER_WAY = {"provisioning", "starting", "stopping", "pausing", "resuming", "rebooting", "migrating", "deleting"}
OUTCOMES = st.sampled_from(["succeeded", "retry", "failed", "absent", "unreachable", "cancelled"])
# Six VMs of one virtual CPU would not fit: placement has to refuse now and then.
CPU = 1
BROKEN = {"code": "minicloud.hypervisor.failed", "message": "no"}


class Fleet(RuleBasedStateMachine):
    """Two small hosts, three names, and everybody who may act on them."""

    make_world: Callable[[], World]
    seen: ClassVar[Counter[tuple[str, str]]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world = type(self).make_world()
        self.held: list[Claim] = []
        self.late: list[Claim] = []
        self.epochs: dict[str, int] = {}
        self.troubles = 0
        self.world.running("a")

    @rule(name=NAMES, cpu=st.sampled_from([1, 3]), claim=st.booleans())
    def create(self, name: str, cpu: int, *, claim: bool) -> None:
        from minicloud.services import vm

        owner = "terminal" if claim else None
        try:
            made = vm.create(self.world.ctx, ADMIN, self.world.spec(name, cpu=cpu), claim=owner, lease_seconds=LEASE)
        except (ConflictError, NoCapacityError):
            return
        if made.claim is not None:
            self.held.append(made.claim)

    @rule(name=NAMES, verb=VERBS)
    def change(self, name: str, verb: str) -> None:
        try:
            self.world.change(name, verb)
        except MinicloudError as error:
            assert error.code != "minicloud.internal"

    @rule(limit=st.integers(1, 3), how=st.one_of(st.just("succeeded"), OUTCOMES))
    def work(self, limit: int, how: str) -> None:
        """A runner takes what is there and ends it at once."""
        for claim in self.world.claim(limit):
            self.end(self.world.start(claim), how, str(claim.order.get("state", "running")))
        self.world.clock.advance(1)

    @rule(name=NAMES, verb=VERBS, how=st.one_of(st.just("succeeded"), OUTCOMES))
    def see_through(self, name: str, verb: str, how: str) -> None:
        """A verb from wish to end, between everybody else's steps."""
        self.create(name, 1, claim=False)
        self.work(3, "succeeded")
        self.change(name, verb)
        self.work(3, how)

    @rule(begin=st.booleans())
    def claim(self, begin: bool) -> None:
        """A runner takes what is there and is long about it."""
        for claim in self.world.claim(1):
            self.held.append(self.world.start(claim) if begin else claim)

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 9), how=OUTCOMES, state=STATES)
    def finish(self, which: int, how: str, state: str) -> None:
        self.end(self.held.pop(which % len(self.held)), how, state)
        self.world.clock.advance(1)

    def end(self, claim: Claim, how: str, state: str) -> None:
        now = self.world.operation(claim.operation)
        is_its = now.state in HELD and (now.epoch, now.tries) == (claim.epoch, claim.attempt)
        try:
            done = operation.finish(self.world.ctx, claim, self.outcome(claim, how, state))
        except LeaseLostError:
            assert not is_its
            self.late.append(claim)
        else:
            assert is_its
            self.seen[done.kind, done.state] += 1
            self.check_moved(done)

    def check_moved(self, done: operation.OperationView) -> None:
        """A VM that moved has room where it is, and nowhere else."""
        if done.kind == "vm.migrate" and done.state == "succeeded":
            with self.world.ctx.read() as session:
                assert [room.host for room in allocations.of_vm(session, str(done.vm))] == [done.destination]

    def outcome(self, claim: Claim, how: str, state: str) -> Outcome:
        if how == "succeeded":
            return Outcome.succeeded({"state": "absent" if claim.kind == "vm.delete" else state})
        if how == "unreachable":
            return Outcome.unreachable("no route")
        if how == "cancelled":
            return Outcome.cancelled()
        result = {"state": "absent"} if how == "absent" else None
        return Outcome.failed(BROKEN, retry=how == "retry", result=result)

    @rule(seconds=st.sampled_from([3, 20, 40]))
    def expire(self, seconds: int) -> None:
        self.world.clock.advance(seconds)
        operation.expire(self.world.ctx)

    @rule(which=st.integers(0, 9))
    def cancel(self, which: int) -> None:
        open_ones = [one for one in operation.list(self.world.ctx, ADMIN).items if one.state in OPEN]
        if not open_ones:
            return
        try:
            operation.cancel(self.world.ctx, ADMIN, open_ones[which % len(open_ones)].id)
        except ConflictError as error:
            assert any(words in error.message for words in ("cannot be taken back", "to make room for"))

    @rule(name=st.sampled_from(HOSTS), drift=st.sampled_from([None, None, "running", "stopped", "gone"]))
    def observe(self, name: str, drift: str | None) -> None:
        """A host shows what is desired there, or something else."""
        self.world.clock.advance(1)
        with self.world.ctx.read() as session:
            there = {row.id: row.desired for row in vms.on_host(session, name)}
        shown = {vm: drift or state for vm, state in there.items() if "gone" not in (drift, state)}
        self.world.observe(name, {vm: state for vm, state in shown.items() if state != "absent"})

    @precondition(lambda self: self.troubles < 3)
    @rule(name=st.sampled_from(HOSTS), fence=st.booleans())
    def lose(self, name: str, fence: bool) -> None:
        """A host falls silent, and may be fenced."""
        self.troubles += 1
        observation.record_silence(self.world.ctx, name, "no route")
        if fence:
            host.fence(self.world.ctx, ADMIN, name)

    @rule()
    def place_again(self) -> None:
        for one in operation.list(self.world.ctx, ADMIN, kind="vm.create").items:
            placement.replace(self.world.ctx, one.id)

    @invariant()
    def rooms_match_vms(self) -> None:
        with self.world.ctx.read() as session:
            rooms = allocations.everything(session)
            living = {row.id: row for row in vms.alive(session)}
        assert {room.vm for room in rooms} <= living.keys()
        for vm in living.values():
            places = {room.host for room in rooms if room.vm == vm.id}
            assert (vm.host in places) if vm.host else not places, (vm.id, vm.host, places)
            assert len(places) <= 2

    @invariant()
    def no_host_promises_more_than_it_has(self) -> None:
        for name in HOSTS:
            assert self.world.get_host(name).allocated.cpu <= 4 * CPU

    @invariant()
    def one_run_a_vm_and_nobody_half_way(self) -> None:
        with self.world.ctx.read() as session:
            open_ones = {row.id: operations.open_of_vm(session, row.id) for row in vms.alive(session)}
            living: dict[str, VmRow] = {row.id: row for row in vms.alive(session)}
        for vm, rows in open_ones.items():
            assert Counter(row.state in HELD for row in rows)[True] <= 1
            assert len(rows) <= 2
            assert all(row.kind == "vm.delete" for row in rows[1:])
            under_way = living[vm].status in UNDER_WAY
            assert under_way == bool(rows), (vm, living[vm].status, [row.kind for row in rows])

    @invariant()
    def epochs_grow(self) -> None:
        with self.world.ctx.read() as session:
            now = {row.id: row.epoch for row in vms.alive(session)}
        assert all(epoch >= self.epochs.get(vm, 0) for vm, epoch in now.items())
        self.epochs |= now

    @invariant()
    def the_late_stay_late(self) -> None:
        for claim in self.late:
            with pytest.raises(LeaseLostError):
                operation.finish(self.world.ctx, claim, Outcome.succeeded({"state": "running"}))


@pytest.mark.slow
def test_whatever_happens(store: Store, tmp_path: Path) -> None:
    def make_world() -> World:
        empty(store)
        clock = FixedClock()
        world = World(Context(store, PlainSettings(tmp_path), b"k" * 32, clock, entropy=SeededEntropy()), clock)
        world.fleet(*HOSTS, cpu=CPU, fence={"agent": "fence_lab"})
        return world

    Fleet.seen.clear()
    machine = type("SmallFleet", (Fleet,), {"make_world": staticmethod(make_world)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=14,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            # A failure is told as it was found: making it smaller takes minutes.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    # The machine reached what it is there to shake.
    reached = {kind for kind, state in Fleet.seen if state == "succeeded"}
    assert reached >= {"vm.create", "vm.start", "vm.stop", "vm.migrate", "vm.delete", "host.fence"}, Fleet.seen
    assert {state for _kind, state in Fleet.seen} == {"succeeded", "failed", "cancelled", "queued"}, Fleet.seen
