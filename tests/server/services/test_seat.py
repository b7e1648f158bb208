"""Machines, huge pages, threads and NUMA nodes that VMs ask for: placed by them, kept with their shares, in orders."""

from __future__ import annotations

from typing import Any

import pytest
from minicloud.services import vm
from minicloud.services.snapshot import take_snapshot
from minicloud.services.view.observation import NumaObservation
from minicloud.store import allocation as allocations
from minicloud_core.model.errors import InputError, NoCapacityError
from minicloud_core.model.order import MigrationOrder, VmOrder
from minicloud_core.model.reservation import parse_reservation

from tests.server.world import ADMIN, World

# Numbers of nodes need not follow each other.
NODES = (NumaObservation(0, 4, 4096, 1024), NumaObservation(8, 4, 4096, 1024))


@pytest.fixture
def fleet(world: World) -> World:
    world.fleet("node1", "node2", cpu=8)
    for name in ("node1", "node2"):
        world.observe(name, numa=NODES, machines=("pc", "pc-q35-7.2", "q35"))
    return world


def asked(**scheduling: Any) -> dict[str, Any]:
    return {"scheduling": scheduling}


def shares(world: World) -> dict[tuple[str, str], list[int] | None]:
    with world.ctx.read() as session:
        return {(row.vm, row.host): row.nodes for row in allocations.everything(session)}


def refused(error: pytest.ExceptionInfo[NoCapacityError]) -> set[str]:
    return {reason["rule"] for reasons in error.value.details["hosts"].values() for reason in reasons}


def test_an_order_names_what_was_asked_for(fleet: World) -> None:
    fleet.create("fast", cpu=2, ram="1G", **asked(machine="q35", huge_pages=True, pinned=True, numa=2))
    order = VmOrder.from_mapping(fleet.claim_one().order)
    assert (order.machine, order.huge_pages, order.pinned, order.numa) == ("q35", True, True, (0, 8))


def test_an_order_for_a_vm_that_asks_for_nothing_says_so(fleet: World) -> None:
    fleet.create()
    order = fleet.claim_one().order
    assert (order["huge_pages"], order["pinned"], order["numa"]) == (False, False, [])
    assert "machine" not in order
    assert list(shares(fleet).values()) == [None]


def test_hosts_that_offer_no_such_machine_are_refused(fleet: World) -> None:
    fleet.observe("node1", numa=NODES, machines=("pc",))
    assert fleet.create("a", **asked(machine="q35")).vm.host == "node2"
    with pytest.raises(NoCapacityError) as error:
        fleet.create("b", **asked(machine="pc-q35-9.0"))
    assert refused(error) == {"machine"}


def test_hosts_that_tell_of_no_nodes_and_pages_give_none(world: World) -> None:
    world.fleet("node1")
    for wanted, rule in (({"numa": 1}, "numa"), ({"huge_pages": True}, "memory"), ({"machine": "q35"}, "machine")):
        with pytest.raises(NoCapacityError) as error:
            world.create("a", **asked(**wanted))
        assert refused(error) == {rule}
    assert world.create("a").vm.host == "node1"


def test_huge_pages_are_promised_once(fleet: World) -> None:
    for number in range(2):
        fleet.create(f"a{number}", ram="2G", **asked(huge_pages=True))
    with pytest.raises(NoCapacityError) as error:
        fleet.create("b", ram="64M", **asked(huge_pages=True))
    assert refused(error) == {"memory"}
    fleet.create("c", ram="64M")


def test_nodes_are_kept_with_the_share_and_counted_by_everybody(fleet: World) -> None:
    for number in range(4):
        fleet.create(f"a{number}", cpu=2, ram="2G", **asked(numa=1))
    given = shares(fleet)
    assert sorted((host, nodes) for (_vm, host), nodes in given.items()) == [
        ("node1", [0]),
        ("node1", [1]),
        ("node2", [0]),
        ("node2", [1]),
    ]
    with fleet.ctx.read() as session:
        read_anew = take_snapshot(session, fleet.clock.now()).fleet
    with fleet.ctx.fleet.lent() as kept, fleet.ctx.read() as session:
        standing = kept.scheduler(session, fleet.ctx.policy.current(), fleet.clock.now()).fleet
        for vm_id, host in given:
            assert read_anew.nodes_of(vm_id) == standing.nodes_of(vm_id) == tuple(given[vm_id, host] or ())
    with pytest.raises(NoCapacityError) as error:
        fleet.create("b", cpu=1, ram="1536M", **asked(numa=1))
    assert refused(error) == {"numa"}


def test_a_vm_that_moves_gets_the_nodes_of_its_destination(fleet: World) -> None:
    first = fleet.running("a", cpu=2, ram="2G", host="node1", **asked(numa=1))
    fleet.create("in-the-way", cpu=2, ram="2G", host="node2", **asked(numa=1))
    fleet.carry_out("running")
    fleet.observe("node1", {"a": "running"}, numa=NODES)
    fleet.change("a", "migrate", host="node2")
    given = shares(fleet)
    assert (given[first.id, "node1"], given[first.id, "node2"]) == ([0], [1])
    claim = fleet.claim_one()
    assert MigrationOrder.from_mapping(claim.order).numa == (8,)
    fleet.succeed(fleet.start(claim), "running")
    assert shares(fleet)[first.id, "node2"] == [1]
    assert (first.id, "node1") not in shares(fleet)
    fleet.clock.advance(1)
    fleet.change("a", "stop")
    assert VmOrder.from_mapping(fleet.claim_one().order).numa == (8,)


def test_a_terminal_that_claims_its_create_is_told_the_nodes(fleet: World) -> None:
    made = vm.create(fleet.ctx, ADMIN, fleet.spec("a", cpu=2, **asked(numa=2)), claim="me@here:1")
    assert made.claim is not None
    assert made.claim.order["numa"] == [0, 8]


def test_a_host_that_has_other_nodes_by_now_names_none(fleet: World) -> None:
    fleet.create("a", cpu=2, ram="2G", host="node1", **asked(numa=2))
    fleet.observe("node1", numa=NODES[:1])
    assert fleet.claim_one().order["numa"] == []
    fleet.create("b")


def test_nodes_cannot_be_reserved() -> None:
    with pytest.raises(InputError) as error:
        parse_reservation({"cpu": 2, "scheduling": {"numa": 1}})
    assert [problem.field for problem in error.value.problems] == ["scheduling.numa"]
