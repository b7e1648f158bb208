"""Seats: which threads a guest's virtual CPUs run on, and in which NUMA nodes its memory lies."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.hypervisor.domain_reader import read_definition
from minicloud_core.hypervisor.domain_xml import change_domain, render_domain
from minicloud_core.hypervisor.seat import Seat, choose_threads
from minicloud_core.hypervisor.topology import Topology, read_set, read_topology, write_set
from minicloud_core.model.errors import HypervisorError

from tests.unit.hypervisor.test_domain_xml import TCG, WEB, parse

# Two nodes of two cores with two threads each.
CAPABILITIES = """
<capabilities><host><topology><cells num='2'>
  <cell id='0'><cpus num='4'>
    <cpu id='0' siblings='0,4'/><cpu id='1' siblings='1,5'/><cpu id='4' siblings='0,4'/><cpu id='5' siblings='1,5'/>
  </cpus></cell>
  <cell id='1'><cpus num='4'>
    <cpu id='2' siblings='2,6'/><cpu id='3' siblings='3,7'/><cpu id='6' siblings='2,6'/><cpu id='7' siblings='3,7'/>
  </cpus></cell>
</cells></topology></host></capabilities>
"""
HOST = Topology({0: (0, 4, 1, 5), 1: (2, 6, 3, 7)})


def test_threads_of_one_core_stand_side_by_side() -> None:
    assert read_topology(CAPABILITIES) == HOST
    assert HOST.threads == (0, 4, 1, 5, 2, 6, 3, 7)
    assert read_topology("<capabilities><host/></capabilities>").threads == ()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("", set()), ("3", {3}), ("0-2,8", {0, 1, 2, 8}), ("0-3,^2", {0, 1, 3}), ("^2,0-3", {0, 1, 3})],
)
def test_sets_are_read_as_libvirt_writes_them(text: str, numbers: set[int]) -> None:
    assert read_set(text) == numbers


@given(st.frozensets(st.integers(0, 300)))
def test_a_set_that_is_written_is_read_back(numbers: frozenset[int]) -> None:
    assert read_set(write_set(numbers)) == numbers


def chosen(seat: Seat, *taken: int) -> list[list[int]]:
    return [sorted(threads) for threads in choose_threads(seat, HOST, taken)]


def test_who_asks_for_nothing_runs_anywhere() -> None:
    assert chosen(Seat(2)) == []


def test_a_pinned_guest_gets_threads_that_nobody_else_has() -> None:
    assert chosen(Seat(3, pinned=True)) == [[0], [4], [1]]
    assert chosen(Seat(3, pinned=True), 4, 1, 2) == [[0], [5], [6]]


def test_a_guest_of_two_nodes_runs_on_the_threads_of_each() -> None:
    assert chosen(Seat(4, nodes=(1, 0))) == [[2, 3, 6, 7], [2, 3, 6, 7], [0, 1, 4, 5], [0, 1, 4, 5]]
    assert chosen(Seat(4, pinned=True, nodes=(1, 0)), 2) == [[6], [3], [0], [4]]


@pytest.mark.parametrize(
    ("seat", "taken", "words"),
    [
        (Seat(2, nodes=(2,)), (), "no NUMA node 2"),
        (Seat(9, pinned=True), (), "this host has too few threads"),
        (Seat(2, pinned=True), (0, 1, 2, 3, 4, 5, 6), "2 are wanted"),
        (Seat(2, pinned=True, nodes=(1,)), (2, 3, 6), "NUMA node 1 of this host has too few"),
    ],
)
def test_a_seat_that_is_not_to_be_had_is_refused(seat: Seat, taken: tuple[int, ...], words: str) -> None:
    with pytest.raises(HypervisorError, match=words):
        choose_threads(seat, HOST, taken)


@given(st.data())
def test_pinned_guests_never_share_a_thread(data: st.DataObject) -> None:
    taken: set[int] = set()
    while len(taken) < 8:
        nodes = data.draw(st.sampled_from([(), (0,), (1,), (0, 1)]))
        cpu = data.draw(st.integers(1, 4)) * max(1, len(nodes))
        try:
            threads = choose_threads(Seat(cpu, pinned=True, nodes=nodes), HOST, taken)
        except HypervisorError:
            free = [sum(thread not in taken for thread in HOST.nodes[node]) for node in nodes or (0, 1)]
            assert min(free) < cpu // len(nodes) if nodes else sum(free) < cpu
            return
        got = [thread for one in threads for thread in one]
        assert len(got) == len({*got}) == cpu
        assert taken.isdisjoint(got)
        taken |= {*got}


def test_a_seat_is_written_as_libvirt_wants_it() -> None:
    seated = replace(
        WEB, cpu=2, ram=1024, huge_pages=True, pinned=True, numa=(1, 0), threads=(frozenset({6}), frozenset({0}))
    )
    domain = parse(seated)
    kept = {"memoryBacking", "cputune", "numatune", "cpu"}
    for element in list(domain):
        if element.tag not in kept:
            domain.remove(element)
    ElementTree.indent(domain)
    assert ElementTree.tostring(domain, encoding="unicode") == (
        """<domain type="qemu">
  <memoryBacking>
    <hugepages>
      <page size="2048" unit="KiB" />
    </hugepages>
  </memoryBacking>
  <cpu mode="maximum">
    <numa>
      <cell id="0" cpus="0" memory="524288" unit="KiB" />
      <cell id="1" cpus="1" memory="524288" unit="KiB" />
    </numa>
  </cpu>
  <cputune>
    <vcpupin vcpu="0" cpuset="6" />
    <vcpupin vcpu="1" cpuset="0" />
  </cputune>
  <numatune>
    <memnode cellid="0" mode="strict" nodeset="1" />
    <memnode cellid="1" mode="strict" nodeset="0" />
  </numatune>
</domain>"""
    )


def test_what_others_tuned_stays_when_a_guest_never_had_a_seat() -> None:
    xml = render_domain(WEB, TCG, "/log").replace(
        "<features>", "<cputune><shares>2048</shares><vcpupin vcpu='0' cpuset='1'/></cputune><features>"
    )
    grown = change_domain(xml, replace(WEB, cpu=3), frozenset({"cpu"}))
    assert "<vcpupin" in grown
    gone = change_domain(xml, WEB, frozenset({"pinned"}))
    assert "<shares>" in gone
    assert "<vcpupin" not in gone


def test_a_guest_that_grows_has_larger_nodes() -> None:
    anywhere = (frozenset({0, 1, 4, 5}),) * 2
    xml = render_domain(replace(WEB, numa=(0,), threads=anywhere), TCG, "/log")
    wanted = replace(WEB, numa=(0,), threads=anywhere, ram=2048)
    cell = ElementTree.fromstring(change_domain(xml, wanted, frozenset({"ram"}))).find("cpu/numa/cell")
    assert cell is not None
    assert cell.get("memory") == str(2048 * 1024)


def test_virtual_cpus_that_were_bound_by_hand_are_not_pinned() -> None:
    bound = render_domain(replace(WEB, threads=(frozenset({0}), frozenset({1}))), TCG, "/log")
    assert read_definition(bound).pinned is False
    shared = replace(WEB, pinned=True, threads=(frozenset({0}), frozenset({0})))
    assert read_definition(render_domain(shared, TCG, "/log")).pinned is False


def test_a_guest_on_another_board_has_its_devices_in_new_slots() -> None:
    xml = render_domain(WEB, TCG, "/log").replace(
        '<target dev="vda" bus="virtio" />',
        "<target dev=\"vda\" bus=\"virtio\" /><address type='pci' bus='0x04'/></disk>"
        "<controller type='pci' model='pcie-root'/><controller type='virtio-serial'/>"
        "<disk><target dev='vdb'/><address type='drive'/>",
    )
    changed = ElementTree.fromstring(change_domain(xml, replace(WEB, machine="pc"), frozenset({"machine"})))
    kind = changed.find("os/type")
    assert kind is not None
    assert kind.get("machine") == "pc"
    assert [one.get("type") for one in changed.iterfind("devices/controller")] == ["virtio-serial"]
    assert [one.get("type") for one in changed.iter("address")] == ["drive"]
