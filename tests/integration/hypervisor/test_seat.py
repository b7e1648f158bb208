"""Seats on a real host: what is asked for is what the domain has, and what QEMU was told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from minicloud_core.hypervisor.host import Hypervisor
from minicloud_core.hypervisor.seat import read_threads
from minicloud_core.hypervisor.topology import read_topology

from tests.integration.hypervisor.conftest import Apply


def domain_of(hypervisor: Hypervisor, order: dict[str, Any]) -> Any:
    return hypervisor.connection.lookupByName(order["id"])


def xml_of(hypervisor: Hypervisor, order: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(domain_of(hypervisor, order).XMLDesc(0))


def may_run_on(hypervisor: Hypervisor, order: dict[str, Any]) -> list[set[int]]:
    """The threads on which each virtual CPU of a running guest may run, as the kernel has it."""
    count = os.cpu_count() or 1
    _vcpus, maps = domain_of(hypervisor, order).vcpus()
    return [{thread for thread in range(count) if allowed[thread]} for allowed in maps]


@pytest.fixture
def second(order: dict[str, Any], apply: Apply) -> Iterator[dict[str, Any]]:
    """An order for another VM, which is gone after the test."""
    other = {**order, "id": f"{order['id']}-b", "name": f"{order['name']}-b"}
    yield other
    apply({"id": other["id"], "name": other["name"], "state": "absent"})


def test_a_machine_that_is_asked_for_is_had_and_changed_by_a_later_order(
    order: dict[str, Any], apply: Apply, hypervisor: Hypervisor
) -> None:
    made = apply(order, machine="pc")
    assert (made["failed"], made["after"]["machine"].startswith("pc-i440fx-")) == (False, True)
    assert apply(order)["changed"] is False
    assert apply(order, machine="pc")["changed"] is False
    moved = apply(order, machine="q35")
    assert (moved["changed"], moved["restart_required"]) == (True, True)
    apply(order, state="stopped", graceful=0)
    started = apply(order)
    assert (started["state"], started["after"]["machine"].startswith("pc-q35-")) == ("running", True)
    assert xml_of(hypervisor, order).find("devices/controller[@model='pcie-root']") is not None


def test_a_machine_that_the_host_has_not_is_refused(order: dict[str, Any], apply: Apply) -> None:
    refused = apply(order, machine="pc-q35-99.1")
    assert refused["error"]["message"] == "this host has no machine type pc-q35-99.1 for x86_64 guests"
    assert "q35" in refused["error"]["hint"]


def test_pinned_guests_have_threads_of_their_own_while_they_are_there(
    order: dict[str, Any], second: dict[str, Any], apply: Apply, hypervisor: Hypervisor
) -> None:
    topology = read_topology(hypervisor.connection.getCapabilities())
    first = apply(order, pinned=True)
    assert (first["failed"], first["after"]["pinned"]) == (False, True)
    assert may_run_on(hypervisor, order) == [{topology.threads[0]}]
    crowd = apply(second, pinned=True, cpu=len(topology.threads))
    assert f"{len(topology.threads)} are wanted" in crowd["error"]["message"]
    left = len(topology.threads) - 1
    assert apply(second, pinned=True, cpu=left)["failed"] is False
    assert may_run_on(hypervisor, second) == [{thread} for thread in topology.threads[1:]]
    # Threads are kept while a guest is off, and free again once it is gone.
    apply(order, state="stopped", graceful=0)
    assert "too few threads" in apply(second, pinned=True, cpu=left + 1)["error"]["message"]
    apply({"id": order["id"], "name": order["name"], "state": "absent"})
    grown = apply(second, pinned=True, cpu=left + 1)
    assert (grown["failed"], grown["restart_required"]) == (False, True)


def test_pins_that_other_hands_took_away_are_put_back(
    order: dict[str, Any], apply: Apply, hypervisor: Hypervisor
) -> None:
    apply(order, pinned=True)
    domain = domain_of(hypervisor, order)
    kept = domain.XMLDesc(0)
    domain.pinVcpuFlags(0, (True,) * (os.cpu_count() or 1), 2)
    assert apply(order, pinned=True)["changed"] is True
    assert read_threads(ElementTree.fromstring(domain.XMLDesc(2))) == read_threads(ElementTree.fromstring(kept))
    assert apply(order, pinned=False)["changed"] is True
    assert read_threads(ElementTree.fromstring(domain.XMLDesc(2))) == ()


def test_a_guest_of_a_node_has_its_memory_and_cpus_there(
    order: dict[str, Any], apply: Apply, hypervisor: Hypervisor
) -> None:
    made = apply(order, numa=[0], cpu=2)
    assert (made["failed"], made["after"]["numa"]) == (False, [0])
    xml = xml_of(hypervisor, order)
    node, cell = xml.find("numatune/memnode"), xml.find("cpu/numa/cell")
    assert node is not None
    assert cell is not None
    assert (node.get("nodeset"), cell.get("cpus"), cell.get("memory")) == ("0", "0-1", str(128 * 1024))
    topology = read_topology(hypervisor.connection.getCapabilities())
    assert may_run_on(hypervisor, order) == [set(topology.nodes[0])] * 2
    assert apply(order, numa=[0], cpu=2)["changed"] is False
    assert apply(order, cpu=2)["changed"] is False
    assert apply(order, numa=[], cpu=2)["changed"] is True


def test_a_node_that_the_host_has_not_is_refused(order: dict[str, Any], apply: Apply) -> None:
    refused = apply(order, numa=[77])
    assert refused["error"]["message"] == "this host has no NUMA node 77 with CPUs"
    uneven = apply(order, numa=[0, 1], cpu=3)
    assert uneven["error"]["field"] == "numa"


def test_huge_pages_are_asked_of_the_host_in_one_size(
    order: dict[str, Any], apply: Apply, hypervisor: Hypervisor
) -> None:
    made = apply(order, huge_pages=True, state="present")
    assert (made["failed"], made["after"]["huge_pages"]) == (False, True)
    page = xml_of(hypervisor, order).find("memoryBacking/hugepages/page")
    assert page is not None
    assert (page.get("size"), page.get("unit")) == ("2048", "KiB")
    assert apply(order, huge_pages=True, state="present")["changed"] is False
    assert apply(order, huge_pages=False, state="present")["changed"] is True
    assert xml_of(hypervisor, order).find("memoryBacking/hugepages") is None
