"""Many VMs at once: more than one by one, groups whole or not at all, and all or nothing where that is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from minicloud.services import batch, event, placement, placement_record, project, vm
from minicloud.services.context import Actor, Idempotency
from minicloud.services.policy import FixedPolicy
from minicloud.services.snapshot import take_snapshot
from minicloud.services.standing_fleet import StandingFleet
from minicloud.services.turn import Turns
from minicloud.services.view.batch import BatchCreation
from minicloud.services.view.observation import NumaObservation
from minicloud.services.view.project import Quota
from minicloud.store.store import Store
from minicloud_core.model.batch import parse_batch
from minicloud_core.model.errors import (
    BatchError,
    ForbiddenError,
    IdempotencyError,
    InputError,
    MinicloudError,
    NoCapacityError,
    NotFoundError,
    QuotaError,
    SpecConflictError,
)
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.policy import BALANCED

from tests.server.conftest import empty
from tests.server.world import ADMIN, FixedClock, PlainSettings, SeededEntropy, World

Bodies = Sequence[dict[str, Any]]


def create(world: World, vms: Bodies, groups: Bodies = (), *, whole: bool = False, **named: Any) -> BatchCreation:
    body = {"vms": [*vms], "groups": [*groups], "all": whole}
    return batch.create(world.ctx, named.pop("actor", ADMIN), parse_batch(body), **named)


def hosts_of(made: BatchCreation) -> dict[str, str | None]:
    return {item.name: item.creation.vm.host for item in made.items if item.creation is not None}


def errors_of(made: BatchCreation) -> dict[str, MinicloudError]:
    return {item.name: item.error for item in made.items if item.error is not None}


def names(world: World) -> list[str]:
    return [one.name for one in vm.list(world.ctx, ADMIN, limit=500).items]


def big(name: str, cpu: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "cpu": cpu, "ram": 64, **more}


def test_each_vm_is_placed_written_and_queued(world: World) -> None:
    world.fleet("node1", "node2")
    made = create(world, [big("a", 1), big("b", 2, labels={"tier": "web"})])
    assert [item.name for item in made.items] == ["a", "b"]
    assert (made.created, made.refused, made.replayed) == (2, 0, False)
    for item in made.items:
        assert item.creation is not None and item.creation.operation is not None
        kept = vm.get(world.ctx, ADMIN, item.name)
        assert (kept.status, kept.operation) == ("provisioning", item.creation.operation.id)
        (told,) = placement.explain(world.ctx, ADMIN, item.name)
        assert told.host == kept.host == told.decision["host"]
    assert [one.creation.vm.id for one in made.items if one.creation] == ["vm-101", "vm-102"]
    assert vm.get(world.ctx, ADMIN, "b").labels == {"tier": "web"}
    assert sum(world.get_host(name).allocated.cpu for name in ("node1", "node2")) == 3
    assert len(world.claim()) == 2


def test_more_fit_than_one_by_one(world: World) -> None:
    """Left to themselves the small ones would go one to each host, and leave the large one nowhere to be."""
    world.fleet("node1", "node2", cpu=1)
    made = create(world, [big("x", 2), big("y", 2), big("z", 4)])
    placed = hosts_of(made)
    assert not errors_of(made)
    assert placed["x"] == placed["y"] != placed["z"]


def test_what_finds_no_host_says_why_and_is_kept_on_record(world: World) -> None:
    world.fleet("node1", cpu=1)
    made = create(world, [big("large", 4), big("x", 2), big("y", 2)])
    assert set(hosts_of(made)) == {"x", "y"} == set(names(world))
    error = errors_of(made)["large"]
    assert isinstance(error, NoCapacityError)
    assert error.details["hosts"]["node1"][0]["rule"] == "cpu"
    records = placement_record.list(world.ctx, ADMIN).items
    # The refusal comes after those because of whom there was no room.
    assert (records[0].name, records[0].host) == ("large", None)
    assert {one.name for one in records[1:]} == {"x", "y"}


def test_a_group_is_whole_or_absent(world: World) -> None:
    world.fleet("node1", "node2", cpu=1)
    three = [big(f"db{number}", 3) for number in range(3)]
    group = {"name": "db", "vms": ["db0", "db1", "db2"]}
    made = create(world, [*three, big("web", 1)], [group])
    assert names(world) == ["web"]
    told = errors_of(made)
    assert Counter(type(error) for error in told.values()) == {NoCapacityError: 1, BatchError: 2}
    because = next(name for name, error in told.items() if isinstance(error, NoCapacityError))
    assert all(because in error.message for error in told.values() if isinstance(error, BatchError))
    two = create(world, three[:2], [{**group, "vms": ["db0", "db1"]}])
    assert len(set(hosts_of(two).values())) == 2


def test_a_group_keeps_what_it_asks_of_its_vms(world: World) -> None:
    for number, rack in enumerate("aab"):
        world.host(f"node{number}", labels={"rack": rack})
    group = {"name": "db", "vms": ["db1", "db2"], "spread": ["rack"]}
    made = create(world, [big("db1", 1), big("db2", 1)], [group])
    racks = {world.get_host(str(name)).labels["rack"] for name in hosts_of(made).values()}
    assert racks == {"a", "b"}
    assert vm.get(world.ctx, ADMIN, "db1").scheduling == {"group": "db", "spread": [{"by": "rack", "at_most": 1}]}
    # A third of that group counts them.
    with pytest.raises(NoCapacityError, match="rack"):
        world.create("db3", scheduling={"group": "db", "spread": ["rack"]})


def test_vms_may_speak_of_others_of_the_batch(world: World) -> None:
    world.fleet("node1", "node2", "node3")
    beside = big("cache", 3, scheduling={"affinity": ["vm:db"]})
    apart = big("web", 1, scheduling={"anti_affinity": ["vm:db"]})
    placed = hosts_of(create(world, [big("db", 2), beside, apart]))
    assert placed["cache"] == placed["db"] != placed["web"]
    with pytest.raises(BatchError):
        create(world, [big("lonely", 1, scheduling={"affinity": ["vm:nobody"]})])


def test_nobody_speaks_of_a_vm_that_was_refused(world: World) -> None:
    world.fleet("node1", cpu=1)
    create(world, [big("giant", 64), big("web", 1)])
    with pytest.raises(InputError):
        world.create("beside", scheduling={"affinity": ["vm:giant"]})


def test_all_or_nothing(world: World) -> None:
    world.fleet("node1", cpu=1)
    before = event.latest(world.ctx)
    with pytest.raises(BatchError) as caught:
        create(world, [big("large", 4), big("x", 2), big("y", 2)], whole=True)
    assert names(world) == []
    assert event.latest(world.ctx) == before
    assert world.get_host("node1").allocated.cpu == 0
    told = {item["name"]: item["error"] for item in caught.value.details["items"]}
    assert {name: error["code"] for name, error in told.items()} == {
        "large": NoCapacityError.code, "x": BatchError.code, "y": BatchError.code,
    }  # fmt: skip
    assert told["x"]["details"] == {"because": "large", "host": "node1"}
    assert caught.value.message.startswith("1 of 3 VMs may not be made, so none is: large: No host can take")
    assert [one.name for one in placement_record.list(world.ctx, ADMIN).items] == ["large"]
    made = create(world, [big("x", 2), big("y", 2)], whole=True)
    assert (made.created, world.vm("x").id) == (2, "vm-101"), "what was not made has taken no number"


def test_the_same_batch_again_answers_the_same_vms(world: World) -> None:
    world.fleet("node1", "node2")
    vms, group = [big("a", 1), big("b", 1), big("c", 1)], {"name": "g", "vms": ["a", "b"]}
    first, again = create(world, vms, [group]), create(world, vms, [group], whole=True)
    assert again.created == again.refused == 0
    assert hosts_of(again) == hosts_of(first)
    wider = create(world, [*vms, big("d", 1)], [{"name": "g", "vms": ["a", "b", "d"]}])
    assert (wider.created, len(names(world))) == (1, 4)


def test_another_spec_of_the_same_name_is_a_problem_of_that_vm(world: World) -> None:
    world.fleet("node1")
    world.create("a", cpu=2, ram=64)
    made = create(world, [big("a", 1), big("b", 1)])
    assert isinstance(errors_of(made)["a"], SpecConflictError)
    assert set(hosts_of(made)) == {"b"}
    torn = create(world, [big("a", 1), big("c", 1), big("d", 1)], [{"name": "g", "vms": ["a", "c"]}])
    assert {name: type(error) for name, error in errors_of(torn).items()} == {"a": SpecConflictError, "c": BatchError}
    with pytest.raises(BatchError):
        create(world, [big("a", 1), big("e", 1)], whole=True)
    assert sorted(names(world)) == ["a", "b", "d"]


def test_a_quota_counts_the_whole_batch_in_its_order(world: World) -> None:
    world.fleet("node1", "node2")
    project.set_quota(world.ctx, ADMIN, "default", Quota(cpu=4))
    world.create("there", cpu=1, ram=64)
    vms = [big("a", 1), big("g1", 1), big("g2", 2), big("b", 2), big("c", 1)]
    made = create(world, vms, [{"name": "g", "vms": ["g1", "g2"]}])
    # The group would be one too many; what it does not take is left to those after it.
    assert set(hosts_of(made)) == {"a", "b"}
    told = errors_of(made)
    assert {name: type(error) for name, error in told.items()} == {"g1": BatchError, "g2": QuotaError, "c": QuotaError}
    assert sum(world.get_host(name).allocated.cpu for name in ("node1", "node2")) == 4
    with pytest.raises(BatchError):
        create(world, [big("c", 1)])


def test_what_may_not_be_is_said_of_each(world: World) -> None:
    world.host("node1")
    with pytest.raises(BatchError) as caught:
        create(world, [big("a", 1, image="debian"), big("b", 500)])
    codes = {item["name"]: item["error"]["code"] for item in caught.value.details["items"]}
    assert codes == {"a": InputError.code, "b": NoCapacityError.code}


def test_projects_and_roles_confine(world: World) -> None:
    world.host("node1")
    project.create(world.ctx, ADMIN, "shop", Quota())
    with pytest.raises(ForbiddenError):
        create(world, [big("a", 1)], actor=Actor("eve", "viewer", "default"))
    with pytest.raises(NotFoundError):
        create(world, [big("a", 1)], actor=Actor("ann", "member", "default"), project="shop")
    with pytest.raises(NotFoundError):
        create(world, [big("a", 1)], project="nowhere")
    create(world, [big("a", 1)], project="shop")
    assert world.vm("a").project == "shop"


def test_one_key_makes_one_batch(world: World) -> None:
    world.fleet("node1", cpu=1)
    key = Idempotency("k", "POST /v1/batches", "f" * 64)
    vms = [big("large", 4), big("x", 2), big("y", 2)]
    first, again = (create(world, vms, idempotency=key) for _time in range(2))
    assert again.replayed and not first.replayed
    assert hosts_of(again) == hosts_of(first)
    assert (again.created, again.refused) == (2, 1)
    assert errors_of(again)["large"].message == errors_of(first)["large"].message
    with pytest.raises(IdempotencyError):
        create(world, vms, idempotency=replace(key, fingerprint="e" * 64))
    assert len(placement_record.list(world.ctx, ADMIN, refused=True).items) == 1


def test_a_key_that_made_nothing_may_try_again(world: World) -> None:
    world.host("node1", cpu=1)
    key = Idempotency("k", "POST /v1/batches", "f" * 64)
    for _time in range(2):
        with pytest.raises(BatchError):
            create(world, [big("large", 5)], idempotency=key)
    world.host("node2", cpu=2)
    assert create(world, [big("large", 5)], idempotency=key).created == 1


def test_a_dry_run_writes_nothing_and_tells_what_then_happens(world: World) -> None:
    world.fleet("node1", "node2", cpu=1)
    vms = [big("a", 2), big("b", 1), big("c", 3), big("d", 2), big("e", 3)]
    group = [{"name": "g", "vms": ["b", "d"], "spread": ["host"]}]
    before = event.latest(world.ctx)
    rehearsed = create(world, vms, group, dry_run=True)
    assert event.latest(world.ctx) == before
    assert names(world) == []
    assert not placement_record.list(world.ctx, ADMIN).items
    assert {one.creation.vm.id for one in rehearsed.items if one.creation} == {""}
    done = create(world, vms, group)
    assert hosts_of(rehearsed) == hosts_of(done)
    assert {name: error.message for name, error in errors_of(rehearsed).items()} == {
        name: error.message for name, error in errors_of(done).items()
    }
    with pytest.raises(BatchError):
        create(world, [big("f", 64)], dry_run=True)


def test_what_a_dry_run_names_is_not_there_afterwards(world: World) -> None:
    world.host("node1")
    create(world, [big("ghost", 1)], dry_run=True)
    with pytest.raises(InputError):
        world.create("web", scheduling={"affinity": ["vm:ghost"]})


def test_creates_at_once_are_counted_within_a_batch(world: World) -> None:
    one_at_once = replace(BALANCED, limits=replace(BALANCED.limits, creates_at_once=1))
    world.ctx = replace(world.ctx, policy=FixedPolicy(one_at_once))
    world.fleet("node1", "node2")
    made = create(world, [big(name, 1) for name in "abc"])
    assert Counter(hosts_of(made).values()) == {"node1": 1, "node2": 1}
    assert made.refused == 1


def test_vms_lie_on_the_nodes_that_were_decided(world: World) -> None:
    """Of a batch that does not all fit: then the nodes of a host are dealt out by what the batch asks for."""
    nodes = tuple(NumaObservation(number, 2, 4096) for number in range(2))
    for name in ("node1", "node2"):
        world.host(name, cpu=4, ram_mib=8192)
        world.observe(name, numa=nodes)
    rams = ("3G", "2G", "1G", "3G", "1536M", "2G", "1G", "2560M", "1G")
    made = create(world, [big(f"vm{n}", 1, ram=ram, scheduling={"numa": 1}) for n, ram in enumerate(rams)])
    assert made.refused and made.created
    here, there = kept(world), fresh(world)
    assert promised(here) == promised(there)
    assert {vm: here.nodes_of(vm) for vm in here.vms()} == {vm: there.nodes_of(vm) for vm in there.vms()}
    assert all(len(there.nodes_of(vm)) == 1 for vm in there.vms())
    assert (there.node_ram_used <= there.node_ram).all()


def test_a_batch_that_fails_to_be_written_leaves_no_trace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from minicloud.services import admission

    world.fleet("node1", "node2")
    world.create("first", ram=64)

    def broken(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError("the pen broke")

    with monkeypatch.context() as patch:
        patch.setattr(admission.audit, "note", broken)
        with pytest.raises(RuntimeError, match="pen"):
            create(world, [big("a", 1), big("b", 1)])
    assert names(world) == ["first"]
    assert promised(kept(world)) == promised(fresh(world))
    assert create(world, [big("a", 1)]).created == 1


@pytest.mark.parametrize("store", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_a_batch_that_another_service_overtakes_is_decided_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fleet("node1", "node2", cpu=1)
    project.create(world.ctx, ADMIN, "rivals", Quota())
    rival = World.__new__(World)
    rival.ctx, rival.clock = replace(world.ctx, creates=Turns(), fleet=StandingFleet()), world.clock
    real, seen = StandingFleet.scheduler, []

    def overtake(fleet: StandingFleet, *arguments: Any) -> Any:
        scheduler = real(fleet, *arguments)
        if fleet is world.ctx.fleet:
            seen.append(fleet)
            if len(seen) == 1:
                vm.create(rival.ctx, ADMIN, world.spec("rival", cpu=4, host="node1"), project="rivals")
        return scheduler

    monkeypatch.setattr(StandingFleet, "scheduler", overtake)
    made = create(world, [big("a", 2), big("b", 2), big("c", 2)])
    assert set(hosts_of(made).values()) == {"node2"}
    assert (made.created, made.refused, len(seen)) == (2, 1, 2)
    assert world.get_host("node1").allocated.cpu == 4


def test_batches_and_creates_at_once_share_the_hosts_and_the_names(world: World) -> None:
    world.fleet("node1", "node2", "node3", cpu=1)

    def together(prefix: str) -> BatchCreation:
        vms = [big(f"{prefix}{number}", 1) for number in range(4)]
        return create(world, [*vms, big("shared", 1)], [{"name": prefix, "vms": [f"{prefix}0", f"{prefix}1"]}])

    calls = [partial(together, prefix) for prefix in "abcd"]
    calls += [partial(world.create, f"single{number}", cpu=1, ram=64) for number in range(6)]
    with ThreadPoolExecutor(len(calls)) as pool:
        ends = [future.exception() for future in [pool.submit(call) for call in calls]]
    assert {type(end) for end in ends} <= {type(None), BatchError, NoCapacityError}, ends
    there = names(world)
    assert len(there) == len(set(there)) == 12
    assert [world.get_host(name).allocated.cpu for name in ("node1", "node2", "node3")] == [4, 4, 4]
    for prefix in "abcd":
        assert (f"{prefix}0" in there) == (f"{prefix}1" in there)
    assert promised(kept(world)) == promised(fresh(world))


def fresh(world: World) -> Fleet:
    with world.ctx.read() as session:
        return take_snapshot(session, world.clock.now()).fleet


def kept(world: World) -> Fleet:
    with world.ctx.fleet.lent() as fleet, world.ctx.read() as session:
        return fleet.scheduler(session, world.ctx.policy.current(), world.clock.now()).fleet


def promised(fleet: Fleet) -> dict[str, Any]:
    return {name: (fleet.where(name), fleet.request_of(name)) for name in fleet.vms()}


sizes = st.tuples(st.integers(1, 5), st.integers(1, 5).map(lambda many: many * 256))
schedules = st.sampled_from(
    [{}, {}, {"anti_affinity": ["tier=a"]}, {"spread": [{"by": "host", "label": "tier"}]}, {"priority": 10}]
)


@st.composite
def batches(draw: st.DrawFn, prefix: str) -> dict[str, Any]:
    vms = [
        {"name": f"{prefix}{number}", "cpu": cpu, "ram": ram, "labels": {"tier": draw(st.sampled_from("ab"))},
         "scheduling": draw(schedules)}
        for number, (cpu, ram) in enumerate(draw(st.lists(sizes, min_size=1, max_size=6)))
    ]  # fmt: skip
    members = draw(st.integers(0, len(vms)))
    spread = draw(st.sampled_from([[], ["host"], ["rack"]]))
    group = {"name": f"g{prefix}", "vms": [one["name"] for one in vms[:members]], "spread": spread}
    return {"vms": vms, "groups": [group] if members else [], "all": draw(st.booleans())}


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data(), st.lists(st.integers(1, 2), min_size=1, max_size=3))
def test_groups_are_whole_limits_hold_and_dry_runs_are_true(
    store: Store, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, cpus: list[int]
) -> None:
    from minicloud.services.context import Context

    empty(store)
    clock = FixedClock()
    settings_ = PlainSettings(tmp_path_factory.getbasetemp())
    world = World(Context(store, settings_, b"k" * 32, clock, entropy=SeededEntropy()), clock)
    for number, cpu in enumerate(cpus):
        world.host(f"node{number}", cpu=cpu, ram_mib=3072, labels={"rack": str(number % 2)})
    for prefix in ("a", "b"):
        asked = parse_batch(data.draw(batches(prefix)))
        outcomes = [answer(world, asked, dry_run=dry_run) for dry_run in (True, False)]
        assert outcomes[0] == outcomes[1]
        there = set(names(world))
        for group in asked.groups:
            assert there >= {*group.vms} or not there & {*group.vms}
        if asked.whole:
            everybody = {spec.name for spec in asked.vms}
            assert there >= everybody or not there & everybody
        for number, cpu in enumerate(cpus):
            allocated = world.get_host(f"node{number}").allocated
            assert allocated.cpu <= 4 * cpu
            assert allocated.ram_mib <= 3072 - 256
        assert promised(kept(world)) == promised(fresh(world))


def answer(world: World, asked: Any, *, dry_run: bool) -> object:
    """What a batch is answered, as far as it is the same before and after."""
    try:
        made = batch.create(world.ctx, ADMIN, asked, dry_run=dry_run)
    except BatchError as error:
        return error.to_mapping()
    return hosts_of(made), {name: error.to_mapping() for name, error in errors_of(made).items()}
