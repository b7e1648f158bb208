"""A fleet as Ganeti's htools read it."""

from __future__ import annotations

from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.request import Request

from tests.bench import bench_planning, ganeti


def test_a_fleet_is_written_as_groups_nodes_instances_tags_and_limits() -> None:
    fleet = Fleet([HostView("b", 16, 65536, 2**40), HostView("a", 8, 32768, 2**40)])
    fleet.add("v", "b", Request(2, 4096))
    groups, nodes, vms, limits = ganeti.text(fleet).rstrip().split("\n\n")
    assert groups == "fleet|uuid|preferred||"
    assert nodes.splitlines() == [
        "a|32768|0|32768|1048576|1048576|8|N|uuid|1||N|0|1|1.0",
        "b|65536|0|61440|1048576|1048576|16|N|uuid|1||N|0|1|1.0",
    ]
    assert vms == "v|4096|1024|2|running|Y|b||rbd||1|1|N"
    # No tags: an empty line, then the limits of the cluster and of the group.
    assert [line.split("|")[0] for line in limits.splitlines()] == ["", "", "fleet"]


def test_the_benchmarks_fleet_is_uneven_and_fits() -> None:
    fleet = bench_planning.uneven(20)
    assert len(fleet.vms()) == 160
    assert (fleet.ram_used <= fleet.ram).all()
    assert fleet.ram_used[:5].sum() > 1.5 * fleet.ram_used[-5:].sum()
