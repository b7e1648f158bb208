"""Reservations: room that is held for a while, counts while it is held, and becomes a VM's or nobody's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from minicloud.services import audit, event, host, project, reservation, vm
from minicloud.services.context import Actor, Idempotency
from minicloud.services.policy import FixedPolicy
from minicloud.services.view.project import Quota
from minicloud.services.view.reservation import ReservationView
from minicloud.services.view.vm import VmCreation
from minicloud_core.model.errors import (
    ConflictError,
    ForbiddenError,
    IdempotencyError,
    InputError,
    NoCapacityError,
    NotFoundError,
    QuotaError,
)
from minicloud_core.model.reservation import parse_reservation, parse_reservations
from minicloud_core.scheduler.policy import BALANCED

from tests.server.world import ADMIN, GIB, World

MEMBER = Actor("ann", "member", "default")
KEY = Idempotency("k-1", "POST /v1/reservations", "a" * 64)


def reserve(
    world: World, *, actor: Actor = ADMIN, idempotency: Idempotency | None = None, **body: Any
) -> ReservationView:
    (made,) = reservation.create(world.ctx, actor, [parse_reservation(body)], idempotency=idempotency)
    return made.reservation


def reserve_all(world: World, *bodies: dict[str, Any], **options: Any) -> list[ReservationView]:
    made = reservation.create(world.ctx, ADMIN, parse_reservations(bodies), listed=True, **options)
    return [one.reservation for one in made]


def create_in(
    world: World, room: ReservationView, name: str = "web01", *, dry_run: bool = False, **body: Any
) -> VmCreation:
    return vm.create(world.ctx, ADMIN, world.spec(name, **body), reservation=room.id, dry_run=dry_run)


def get(world: World, room: ReservationView) -> ReservationView:
    return reservation.get(world.ctx, ADMIN, room.id)


def fill(world: World, **body: Any) -> int:
    """Create VMs until there is no room; how many there was room for."""
    made = 0
    while True:
        try:
            world.create(f"filler{made}", **body)
        except NoCapacityError:
            return made
        made += 1


def test_a_reservation_is_placed_and_counts_as_its_vm_would(world: World) -> None:
    world.fleet("node1", "node2")
    made = reserve(world, name="soon", cpu=2, ram="1G", disks=["2G"], labels={"tier": "web"}, ttl=60)
    assert made.id.startswith("rsv-")
    assert (made.state, made.name, made.vm, made.ended_at) == ("held", "soon", None, None)
    assert (made.expires_at - made.created_at).total_seconds() == 60
    allocated = world.get_host(made.host).allocated
    assert (allocated.cpu, allocated.ram_mib, allocated.disk_bytes) == (2, 1024, 2 * GIB)
    assert world.get_host(made.host).vms == 0
    assert get(world, made) == made
    assert (made.cpu, made.ram_mib, made.labels) == (2, 1024, {"tier": "web"})


def test_it_keeps_why_it_is_there(world: World) -> None:
    world.fleet("node1", "node2", "node3", "node4", "node5")
    world.fleet("node6", cpu=1, ram_mib=300)
    decision = get(world, reserve(world, cpu=2)).decision
    assert decision["host"] == decision["accepted"][0]["host"]
    assert decision["hosts"] == {"accepted": 5, "refused": 1}
    assert len(decision["accepted"]) == 3
    assert {part["scorer"] for part in decision["accepted"][0]["parts"]} >= {"free_cpu", "free_memory"}
    assert decision["policy"] == "balanced" and decision["policy_version"]


def test_its_room_is_nobody_elses_while_it_is_held(world: World) -> None:
    world.fleet("node1", cpu=1, ram_mib=8192)
    reserve(world, cpu=3, ttl=60)
    assert fill(world, cpu=1) == 1
    with pytest.raises(NoCapacityError):
        reserve(world, cpu=1)


def test_its_room_is_free_to_the_second_though_nobody_swept(world: World) -> None:
    world.fleet("node1", cpu=1, ram_mib=8192)
    held = reserve(world, cpu=4, ttl=60)
    world.clock.advance(59)
    with pytest.raises(NoCapacityError):
        world.create("early", cpu=4)
    assert get(world, held).state == "held"
    world.clock.advance(1)
    assert world.get_host("node1").allocated.cpu == 0
    ended = get(world, held)
    assert (ended.state, ended.ended_at) == ("expired", held.expires_at)
    world.create("late", cpu=4)
    assert world.get_host("node1").allocated.cpu == 4


def test_whoever_takes_the_room_of_one_that_lapsed_ends_it(world: World) -> None:
    world.fleet("node1", cpu=1, ram_mib=8192)
    held = reserve(world, cpu=4, ttl=60)
    world.clock.advance(60)
    world.create("late", cpu=4)
    # A clock that is behind, another service's, must not have it held again.
    world.clock.at = held.created_at
    assert get(world, held).state == "expired"
    with pytest.raises(ConflictError, match="expired"):
        create_in(world, held, "other", cpu=4)
    assert world.get_host("node1").allocated.cpu == 4


def test_a_migration_ends_what_lapsed_where_it_goes(world: World) -> None:
    world.fleet("node1", "node2", cpu=1)
    world.running("web01", host="node1", cpu=4)
    held = reserve(world, cpu=4, ttl=60)
    assert held.host == "node2"
    with pytest.raises(NoCapacityError):
        world.change("web01", "migrate")
    world.clock.advance(60)
    assert world.change("web01", "migrate").operation is not None
    world.clock.at = held.created_at
    assert get(world, held).state == "expired"


def test_the_sweeper_writes_down_what_ended_and_tells_of_it(world: World) -> None:
    world.fleet("node1")
    short, long = reserve(world, ttl=10), reserve(world, ttl=100)
    world.clock.advance(10)
    before = event.latest(world.ctx)
    assert reservation.expire(world.ctx) == 1
    (told,) = event.after(world.ctx, ADMIN, before)
    assert (told.kind, told.host, told.project) == ("reservation.state", "node1", "default")
    assert told.data == {"reservation": short.id, "name": None, "from": "held", "to": "expired"}
    assert "its time was over" in told.reason
    assert reservation.expire(world.ctx) == 0
    assert (get(world, short).state, get(world, long).state) == ("expired", "held")
    world.create("web01")


def test_very_many_end_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reservation, "_AT_ONCE", 2)
    world.fleet("node1", "node2")
    for _time in range(5):
        reserve(world, ram=64, ttl=10)
    world.clock.advance(10)
    assert reservation.expire(world.ctx) == 5
    assert {one.state for one in reservation.list(world.ctx, ADMIN).items} == {"expired"}


def test_a_reservation_leaves_an_audit_entry_and_an_event_with_the_request_id(world: World) -> None:
    world.host("node1")
    before = event.latest(world.ctx)
    made = reserve(world, name="soon")
    (told,) = event.after(world.ctx, ADMIN, before)
    assert (told.kind, told.request_id, told.actor) == ("reservation.state", "req-1", "root")
    assert told.data == {"reservation": made.id, "name": "soon", "from": None, "to": "held"}
    (entry,) = audit.list(world.ctx, ADMIN, action="reservation.create").items
    assert (entry.actor, entry.resource, entry.project, entry.request_id) == ("root", made.id, "default", "req-1")
    assert entry.details["host"] == made.host


def test_a_vm_has_the_room_that_was_reserved(world: World) -> None:
    world.fleet("node1", "node2", cpu=1)
    held = reserve(world, cpu=3, ram="1G")
    fill(world, cpu=1)
    before = event.latest(world.ctx)
    made = create_in(world, held, cpu=3, ram="1G")
    assert made.created and made.vm.host == held.host
    used = get(world, held)
    assert (used.state, used.vm) == ("used", made.vm.id)
    assert world.get_host(held.host).allocated.cpu == 4
    told = [one for one in event.after(world.ctx, ADMIN, before) if one.kind == "reservation.state"]
    assert [(one.vm, one.data["to"], one.request_id) for one in told] == [(made.vm.id, "used", "req-1")]
    # The host was asked again, without the reservation.
    assert made.placement is not None and made.placement["host"] == held.host
    assert "host" not in world.vm("web01").scheduling


def test_a_smaller_vm_gives_the_rest_back(world: World) -> None:
    world.fleet("node1", cpu=1)
    held = reserve(world, cpu=4)
    create_in(world, held, cpu=1)
    assert world.get_host("node1").allocated.cpu == 1
    assert fill(world, cpu=1) == 3


def test_a_larger_vm_is_refused_with_words_for_each_need(world: World) -> None:
    world.fleet("node1")
    asked = {"cpu": 2, "ram": "1G", "disks": ["1G"], "scheduling": {"bandwidth_mbps": 0}}
    held = reserve(world, **asked)
    for dry_run in (True, False):
        with pytest.raises(InputError) as refused:
            create_in(world, held, cpu=3, ram="2G", disks=["2G"], dry_run=dry_run)
        problems = {one.field: (one.message, one.allowed) for one in refused.value.problems}
        assert problems["cpu"] == ("3 wanted, 2 reserved", "2 or fewer")
        assert problems["ram"] == ("2 GiB wanted, 1 GiB reserved", "1 GiB or less")
        assert problems.keys() == {"cpu", "ram", "disks"}
    assert get(world, held).state == "held"
    assert not vm.list(world.ctx, ADMIN).items


def test_a_dry_run_tells_and_leaves_everything_as_it_was(world: World) -> None:
    world.fleet("node1", "node2", cpu=1)
    held = reserve(world, cpu=4)
    rehearsed = create_in(world, held, cpu=4, dry_run=True)
    assert rehearsed.vm.host == held.host and rehearsed.vm.id == ""
    (planned,) = reservation.create(world.ctx, ADMIN, [parse_reservation({"cpu": 4})], dry_run=True)
    assert planned.created and planned.reservation.id == ""
    assert planned.reservation.host != held.host
    assert {one["host"] for one in planned.reservation.decision["refused"]} == {held.host}
    assert len(reservation.list(world.ctx, ADMIN).items) == 1
    # Neither was remembered by the fleet that is kept.
    assert reserve(world, cpu=4).host == planned.reservation.host


def test_the_rules_are_asked_again(world: World) -> None:
    world.fleet("node1", "node2")
    held = reserve(world)
    host.cordon(world.ctx, ADMIN, held.host)
    with pytest.raises(NoCapacityError, match="cordoned"):
        create_in(world, held)
    assert get(world, held).state == "held"
    host.uncordon(world.ctx, ADMIN, held.host)
    assert create_in(world, held).vm.host == held.host


def test_others_heed_what_a_reservation_asks_of_its_place(world: World) -> None:
    world.fleet("node1", "node2")
    apart = {"group": "db", "anti_affinity": ["group:db"]}
    first = reserve(world, ram=64, scheduling=apart)
    second = world.create("db2", ram=64, scheduling=apart)
    assert second.vm.host != first.host
    with pytest.raises(NoCapacityError):
        world.create("db3", ram=64, scheduling=apart)
    # It does not stand in its own VM's way.
    assert create_in(world, first, "db1", ram=64, scheduling=apart).vm.host == first.host


@pytest.mark.parametrize("end", ["used", "released", "expired"])
def test_what_has_ended_holds_nothing(world: World, end: str) -> None:
    world.fleet("node1")
    held = reserve(world, ttl=60)
    if end == "used":
        create_in(world, held, "first")
    elif end == "released":
        reservation.release(world.ctx, ADMIN, held.id)
    else:
        world.clock.advance(60)
    with pytest.raises(ConflictError, match="holds nothing any more") as refused:
        create_in(world, held, "second")
    assert refused.value.details == {"reservation": held.id, "state": end}


def test_the_same_create_again_answers_the_vm_that_is_there(world: World) -> None:
    world.fleet("node1")
    held = reserve(world)
    first, again = create_in(world, held), create_in(world, held)
    assert (again.vm.id, again.created) == (first.vm.id, False)


def test_a_reservation_of_another_project_is_none(world: World) -> None:
    world.fleet("node1")
    project.create(world.ctx, ADMIN, "shop", Quota())
    held = reserve(world)
    bob = Actor("bob", "member", "shop")
    with pytest.raises(InputError, match="no reservation"):
        vm.create(world.ctx, bob, world.spec(), reservation=held.id)
    with pytest.raises(NotFoundError):
        reservation.get(world.ctx, bob, held.id)
    with pytest.raises(NotFoundError):
        reservation.release(world.ctx, bob, held.id)
    assert reservation.list(world.ctx, bob).items == ()
    assert reservation.get(world.ctx, MEMBER, held.id) == held


def test_a_vm_that_wants_another_host_is_refused(world: World) -> None:
    world.fleet("node1", "node2")
    held = reserve(world, host="node1")
    with pytest.raises(InputError) as refused:
        create_in(world, held, host="node2")
    assert refused.value.problems[0].field == "host"
    assert create_in(world, held, host="node1").vm.host == "node1"


def test_a_viewer_reserves_nothing(world: World) -> None:
    world.fleet("node1")
    eve = Actor("eve", "viewer", "default")
    held = reserve(world)
    for call in (lambda: reserve(world, actor=eve), lambda: reservation.release(world.ctx, eve, held.id)):
        with pytest.raises(ForbiddenError):
            call()
    assert reservation.get(world.ctx, eve, held.id) == held


def test_released_room_is_free_at_once(world: World) -> None:
    world.fleet("node1", cpu=1)
    held = reserve(world, cpu=4)
    assert reservation.release(world.ctx, ADMIN, held.id, dry_run=True).changed
    assert get(world, held).state == "held"
    before = event.latest(world.ctx)
    assert reservation.release(world.ctx, ADMIN, held.id).changed
    assert get(world, held).state == "released"
    assert [one.data["to"] for one in event.after(world.ctx, ADMIN, before)] == ["released"]
    assert audit.list(world.ctx, ADMIN, action="reservation.release").items[0].resource == held.id
    assert fill(world, cpu=1) == 4
    assert not reservation.release(world.ctx, ADMIN, held.id).changed


def test_used_room_is_not_released(world: World) -> None:
    world.fleet("node1")
    held = reserve(world)
    create_in(world, held)
    with pytest.raises(ConflictError, match="used by vm-101"):
        reservation.release(world.ctx, ADMIN, held.id)


def test_a_reservation_counts_against_the_quota_while_it_is_held(world: World) -> None:
    world.fleet("node1", "node2")
    project.set_quota(world.ctx, ADMIN, "default", Quota(vms=2, cpu=4))
    held = reserve(world, cpu=3, ttl=60)
    usage = project.get(world.ctx, ADMIN, "default").usage
    assert (usage.vms, usage.cpu) == (1, 3)
    with pytest.raises(QuotaError, match="3 of 4 virtual CPUs are used"):
        world.create("big", cpu=2)
    with pytest.raises(QuotaError):
        reserve(world, cpu=2)
    # What is reserved is paid for already, even where less is allowed by now.
    project.set_quota(world.ctx, ADMIN, "default", Quota(vms=2, cpu=2))
    create_in(world, held, cpu=3)
    assert project.get(world.ctx, ADMIN, "default").usage.cpu == 3


def test_an_expired_reservation_counts_against_no_quota(world: World) -> None:
    world.fleet("node1")
    project.set_quota(world.ctx, ADMIN, "default", Quota(cpu=4))
    reserve(world, cpu=4, ttl=60)
    world.clock.advance(60)
    assert project.get(world.ctx, ADMIN, "default").usage.cpu == 0
    world.create("web01", cpu=4)


def test_of_several_all_are_held_or_none(world: World) -> None:
    world.fleet("node1", "node2", cpu=1)
    made = reserve_all(world, {"cpu": 4}, {"cpu": 2}, {"cpu": 2})
    assert sorted(one.host for one in made) in (["node1", "node1", "node2"], ["node1", "node2", "node2"])
    for one in made:
        reservation.release(world.ctx, ADMIN, one.id)
    with pytest.raises(NoCapacityError) as refused:
        reserve_all(world, {"cpu": 4}, {"cpu": 3}, {"cpu": 2})
    assert refused.value.details["item"] == 2
    assert [world.get_host(name).allocated.cpu for name in ("node1", "node2")] == [0, 0]
    # Nor does the fleet that is kept hold any of them.
    assert fill(world, cpu=4) == 2


def test_a_list_that_passes_the_quota_as_a_whole_is_refused(world: World) -> None:
    world.fleet("node1")
    project.set_quota(world.ctx, ADMIN, "default", Quota(vms=2))
    with pytest.raises(QuotaError):
        reserve_all(world, {"ram": 64}, {"ram": 64}, {"ram": 64})
    assert len(reserve_all(world, {"ram": 64}, {"ram": 64})) == 2


def test_problems_of_a_list_say_of_which(world: World) -> None:
    world.fleet("node1")
    with pytest.raises(InputError) as refused:
        reserve_all(world, {"ram": 64}, {"image": "nosuch"})
    assert refused.value.problems[0].field == "items.1.image"
    with pytest.raises(InputError) as refused:
        reserve_all(world, {"name": "a", "cpu": 0}, {"name": "a", "ttl": 0, "cloud_init": {}, "colour": "red"})
    assert {one.field for one in refused.value.problems} == {
        "items.0.cpu", "items.1.ttl", "items.1.cloud_init", "items.1.colour",
    }  # fmt: skip
    with pytest.raises(InputError, match="named twice"):
        reserve_all(world, {"name": "a"}, {"name": "a"})
    with pytest.raises(InputError, match="65 reservations at once"):
        reserve_all(world, *({} for _time in range(65)))


def test_a_name_is_held_once(world: World) -> None:
    world.fleet("node1", "node2")
    first = reserve(world, name="soon", cpu=2)
    (again,) = reservation.create(world.ctx, ADMIN, [parse_reservation({"name": "soon", "cpu": 2, "ttl": 9})])
    assert (again.reservation, again.created) == (first, False)
    with pytest.raises(ConflictError) as refused:
        reserve(world, name="soon", cpu=3)
    assert refused.value.details["differences"] == {"cpu": {"existing": 2, "requested": 3}}
    assert world.get_host(first.host).allocated.cpu == 2


@pytest.mark.parametrize("end", ["used", "released", "expired"])
def test_a_name_is_free_again_once_it_ended(world: World, end: str) -> None:
    world.fleet("node1", "node2")
    held = reserve(world, name="soon", ttl=60)
    if end == "used":
        create_in(world, held, "first")
    elif end == "released":
        reservation.release(world.ctx, ADMIN, held.id)
    else:
        world.clock.advance(60)
    second = reserve(world, name="soon")
    assert second.id != held.id
    assert (get(world, held).state, get(world, second).state) == (end, "held")


def test_the_same_request_answers_the_same_reservations(world: World) -> None:
    world.fleet("node1")
    bodies = ({"ram": 64, "ttl": 60}, {"ram": 128, "ttl": 60})
    first = reserve_all(world, *bodies, idempotency=KEY)
    world.clock.advance(60)
    again = reservation.create(world.ctx, ADMIN, parse_reservations(bodies), listed=True, idempotency=KEY)
    assert [one.reservation.id for one in again] == [one.id for one in first]
    assert all(one.replayed and one.created for one in again)
    assert {one.reservation.state for one in again} == {"expired"}
    with pytest.raises(IdempotencyError):
        reserve(world, idempotency=Idempotency(KEY.key, KEY.route, "b" * 64))
    other = Idempotency("k-2", "DELETE /v1/reservations/x", "c")
    held = reserve(world)
    assert reservation.release(world.ctx, ADMIN, held.id, idempotency=other).changed
    replayed = reservation.release(world.ctx, ADMIN, held.id, idempotency=other)
    assert (replayed.changed, replayed.replayed) == (True, True)


def test_a_host_on_which_room_is_held_is_not_forgotten(world: World) -> None:
    world.fleet("node1")
    held = reserve(world, ttl=60)
    with pytest.raises(ConflictError, match=held.id):
        host.remove(world.ctx, ADMIN, "node1")
    world.clock.advance(60)
    host.remove(world.ctx, ADMIN, "node1")
    assert reservation.expire(world.ctx) == 1


def test_lists_are_filtered_and_come_page_by_page(world: World) -> None:
    world.fleet("node1", "node2")
    made = []
    for number in range(4):
        made.append(reserve(world, name=f"r{number}", ram=64, ttl=60 if number else 10, host=f"node{1 + number % 2}"))
        world.clock.advance(1)
    reservation.release(world.ctx, ADMIN, made[3].id)
    world.clock.advance(10)
    first = reservation.list(world.ctx, ADMIN, limit=3)
    rest = reservation.list(world.ctx, ADMIN, limit=3, cursor=first.next)
    assert [one.name for one in (*first.items, *rest.items)] == ["r3", "r2", "r1", "r0"]
    states = {state: [one.name for one in reservation.list(world.ctx, ADMIN, state=state).items]
              for state in ("held", "used", "released", "expired")}  # fmt: skip
    assert states == {"held": ["r2", "r1"], "used": [], "released": ["r3"], "expired": ["r0"]}
    reservation.expire(world.ctx)
    assert [one.name for one in reservation.list(world.ctx, ADMIN, state="expired").items] == ["r0"]
    assert [one.name for one in reservation.list(world.ctx, ADMIN, host="node1").items] == ["r2", "r0"]
    assert [one.name for one in reservation.list(world.ctx, ADMIN, name="r1").items] == ["r1"]
    with pytest.raises(InputError, match="not a state"):
        reservation.list(world.ctx, ADMIN, state="gone")


def test_no_runner_is_woken_for_a_reservation(world: World) -> None:
    world.fleet("node1")
    operations, events = world.ctx.hints.mark("operations"), world.ctx.hints.mark("events")
    held = reserve(world)
    assert (world.ctx.hints.mark("operations"), world.ctx.hints.mark("events")) == (operations, events + 1)
    create_in(world, held)
    assert world.ctx.hints.mark("operations") == operations + 1


def test_a_priority_may_be_called_by_its_class(world: World) -> None:
    world.ctx = replace(world.ctx, policy=FixedPolicy(replace(BALANCED, priority_classes={"critical": 500})))
    world.fleet("node1")
    asked = {"name": "soon", "scheduling": {"priority": "critical"}}
    first = reserve(world, **asked)
    assert first.scheduling == {"priority": 500}
    assert reserve(world, **asked).id == first.id
    with pytest.raises(InputError, match="no priority class gold"):
        reserve(world, scheduling={"priority": "gold"})
