"""Statistics and XML as libvirt 9.0 with QEMU 7.2 gave them, in our words."""

from __future__ import annotations

from typing import Any

import pytest
from minicloud.observer.domain import DomainFacts, observe_domain, read_facts, state_word
from minicloud_core.model.metadata import DomainMetadata

UUID = "cd7c383d-fe25-4d65-ac67-7ccd5a356b75"
# virConnectGetAllDomainStats of a running guest on a host without cgroups.
RUNNING: dict[str, Any] = {
    "state.state": 1,
    "state.reason": 1,
    "cpu.haltpoll.success.time": 0,
    "balloon.current": 524288,
    "balloon.maximum": 524288,
    "balloon.rss": 258052,
    "vcpu.current": 2,
    "vcpu.maximum": 2,
    "vcpu.0.state": 1,
    "vcpu.0.time": 4890000000,
    "vcpu.1.time": 110000000,
}
STOPPED: dict[str, Any] = {"state.state": 5, "state.reason": 1, "balloon.maximum": 524288, "vcpu.maximum": 1}
XML = """
<domain type='qemu' id='2'>
  <name>vm-125</name>
  <uuid>cd7c383d-fe25-4d65-ac67-7ccd5a356b75</uuid>
  <metadata xmlns:minicloud="urn:minicloud:libvirt:1" xmlns:minicloud-order="urn:minicloud:libvirt:order:1">
    <minicloud:vm id="vm-125" name="web09" project="default" spec_hash="d559138b1690660b" epoch="3"/>
    <minicloud-order:order seed=""/>
  </metadata>
  <devices>
    <interface type='network'>
      <mac address='52:54:00:BC:E7:3D'/>
      <source network='default'/>
    </interface>
    <interface type='network'>
      <mac address='52:54:00:00:00:02'/>
    </interface>
  </devices>
</domain>
"""
OURS = DomainMetadata("vm-125", "web09", "default", "d559138b1690660b", 3)


def test_a_running_guest() -> None:
    leases = {"52:54:00:bc:e7:3d": {"192.168.122.9", "2001:db8::9"}, "52:54:00:00:00:99": {"192.168.122.99"}}
    seen = observe_domain(UUID, "vm-125", RUNNING, read_facts(XML), leases)
    assert (seen.uuid, seen.name, seen.state, seen.metadata) == (UUID, "vm-125", "running", OURS)
    assert (seen.cpu, seen.ram_mib, seen.cpu_time_ns) == (2, 512, 5_000_000_000)
    assert seen.addresses == ("192.168.122.9", "2001:db8::9")


def test_a_stopped_guest_has_no_current_figures() -> None:
    seen = observe_domain(UUID, "vm-125", STOPPED, read_facts(XML), {})
    assert (seen.state, seen.cpu, seen.ram_mib, seen.cpu_time_ns, seen.addresses) == ("stopped", 1, 512, 0, ())


def test_the_time_of_the_whole_domain_counts_where_it_is_told() -> None:
    told = observe_domain(UUID, "vm-125", {**RUNNING, "cpu.time": 7}, DomainFacts(None, frozenset()), {})
    assert told.cpu_time_ns == 7


def test_a_guest_whose_monitor_is_busy_tells_little() -> None:
    seen = observe_domain(UUID, "vm-125", {"state.state": 1}, read_facts(XML), {})
    assert (seen.state, seen.cpu, seen.ram_mib) == ("running", 0, 0)


def test_facts_are_read_from_the_xml() -> None:
    assert read_facts(XML) == DomainFacts(OURS, frozenset({"52:54:00:bc:e7:3d", "52:54:00:00:00:02"}))
    assert read_facts("<domain><devices/></domain>") == DomainFacts(None, frozenset())


@pytest.mark.parametrize(
    ("state", "reason", "word"),
    [
        (1, 1, "running"),
        (2, 0, "running"),
        (3, 1, "paused"),
        (3, 2, "migrating"),
        (3, 11, "starting"),
        (3, 8, "stopping"),
        (3, 12, "migrating"),
        (3, 5, "paused"),
        (4, 1, "stopping"),
        (5, 1, "stopped"),
        (6, 1, "crashed"),
        (7, 0, "suspended"),
        (0, 0, "unknown"),
        (None, None, "unknown"),
        (99, 0, "unknown"),
    ],
)
def test_states(state: int | None, reason: int | None, word: str) -> None:
    assert state_word(state, reason) == word
