"""What libvirt's statistics and XML say of a domain, in our words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

from minicloud_core.model.metadata import DomainMetadata, read_metadata

from minicloud.services.view.observation import DomainObservation

# virDomainState and the reasons of a pause that mean another thing than a pause.
_STATES: Final = {
    1: "running",
    2: "running",
    3: "paused",
    4: "stopping",
    5: "stopped",
    6: "crashed",
    7: "suspended",
}
_PAUSED: Final = 3
_PAUSE_REASONS: Final = {2: "migrating", 8: "stopping", 10: "crashed", 11: "starting", 12: "migrating"}


@dataclass(frozen=True)
class DomainFacts:
    """What a domain's XML says and only a new definition changes: whose it is, and its cards' MACs in lower case."""

    metadata: DomainMetadata | None
    macs: frozenset[str]


def read_facts(xml: str) -> DomainFacts:
    """Read a domain's XML."""
    macs = (element.get("address", "") for element in ElementTree.fromstring(xml).iterfind("./devices/interface/mac"))
    return DomainFacts(read_metadata(xml), frozenset(mac.lower() for mac in macs if mac))


def observe_domain(
    uuid: str,
    name: str,
    statistics: Mapping[str, Any],
    facts: DomainFacts,
    leases: Mapping[str, Iterable[str]],
) -> DomainObservation:
    """Put together what is known of a domain.

    :param statistics: its record of ``virConnectGetAllDomainStats``.
    :param leases: IP addresses by MAC, as the host's networks gave them out.
    """
    return DomainObservation(
        uuid=uuid,
        name=name,
        state=state_word(statistics.get("state.state"), statistics.get("state.reason")),
        metadata=facts.metadata,
        cpu=int(statistics.get("vcpu.current") or statistics.get("vcpu.maximum") or 0),
        ram_mib=int(statistics.get("balloon.maximum") or 0) // 1024,
        cpu_time_ns=_cpu_time(statistics),
        addresses=tuple(sorted({address for mac in facts.macs for address in leases.get(mac, ())})),
    )


def _cpu_time(statistics: Mapping[str, Any]) -> int:
    """A host without cgroups tells no time of the whole domain, only that of its virtual CPUs."""
    if "cpu.time" in statistics:
        return int(statistics["cpu.time"])
    count = int(statistics.get("vcpu.maximum") or 0)
    return sum(int(statistics.get(f"vcpu.{number}.time") or 0) for number in range(count))


def state_word(state: int | None, reason: int | None) -> str:
    """Our word for libvirt's state: ``running paused stopped crashed`` where it is at rest, another where it is not."""
    if state == _PAUSED and reason in _PAUSE_REASONS:
        return _PAUSE_REASONS[reason]
    return _STATES.get(state or 0, "unknown")
