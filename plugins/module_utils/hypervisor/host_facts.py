# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a host has and what of it is taken."""

from __future__ import annotations

from typing import Any, Final
from xml.etree import ElementTree

from .capabilities import read_capabilities, read_guest, read_host_architecture, read_host_uuid
from .failure import NO_DOMAIN, NO_NETWORK, NO_STORAGE_POOL, explained, tolerating

# virStoragePoolState, which is part of libvirt's ABI.
_POOL_STATES: Final = {0: "inactive", 1: "building", 2: "running", 3: "degraded", 4: "inaccessible"}

# What goes while it is looked at is left out.
_GONE: Final = (NO_DOMAIN, NO_NETWORK, NO_STORAGE_POOL)


def version_text(number: int) -> str:
    """libvirt's way of counting versions in people's: ``9000000`` is ``9.0.0``."""
    return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"


def host_facts(connection: Any, accelerator: str = "auto") -> dict[str, Any]:
    """A host for people and programs; memory in MiB, storage in bytes.

    :raises HypervisorError: when libvirt does not answer, or the host cannot run guests of its own architecture.
    """
    with explained("read the host's capabilities"):
        capabilities = connection.getCapabilities()
    architecture = read_host_architecture(capabilities)
    chosen = read_capabilities(connection, architecture, accelerator)
    guest = read_guest(capabilities, architecture)
    with explained("read the host"):
        return {
            "hostname": connection.getHostname(),
            "uuid": read_host_uuid(capabilities),
            "libvirt_version": version_text(connection.getLibVersion()),
            "qemu_version": version_text(connection.getVersion()),
            "architecture": architecture,
            "accelerator": chosen.accelerator,
            "accelerators": list(guest.accelerators) if guest else [],
            "machine": chosen.machine,
            "cpu": _cpu(connection, capabilities),
            "memory": _memory(connection),
            "domains": _domains(connection),
            "pools": _pools(connection),
            "networks": _networks(connection),
        }


def _cpu(connection: Any, capabilities: str) -> dict[str, Any]:
    _arch, _memory, count, mhz, nodes, sockets, cores, threads = connection.getInfo()
    cpu = ElementTree.fromstring(capabilities).find("host/cpu")
    return {
        "count": count,
        "mhz": mhz,
        "model": "" if cpu is None else cpu.findtext("model", default=""),
        "vendor": "" if cpu is None else cpu.findtext("vendor", default=""),
        "numa_nodes": nodes,
        "sockets": sockets,
        "cores": cores,
        "threads": threads,
    }


def _memory(connection: Any) -> dict[str, int]:
    statistics = connection.getMemoryStats(-1, 0)  # KiB, over all NUMA nodes
    free = statistics.get("free", 0) + statistics.get("buffers", 0) + statistics.get("cached", 0)
    return {"total_mib": statistics.get("total", 0) // 1024, "available_mib": free // 1024}


def _domains(connection: Any) -> dict[str, int]:
    """Counts, and what the active ones were promised."""
    active, cpus, memory = 0, 0, 0
    domains = connection.listAllDomains(0)
    for domain in domains:
        with tolerating(*_GONE):
            if domain.isActive():
                _state, _max, current, count, _time = domain.info()
                active, cpus, memory = active + 1, cpus + count, memory + current // 1024
    return {"active": active, "inactive": len(domains) - active, "cpus": cpus, "memory_mib": memory}


def _pools(connection: Any) -> list[dict[str, Any]]:
    found = []
    for pool in connection.listAllStoragePools(0):
        with tolerating(*_GONE):
            state, capacity, allocation, available = pool.info()
            xml = ElementTree.fromstring(pool.XMLDesc(0))
            found.append(
                {
                    "name": pool.name(),
                    "type": xml.get("type", ""),
                    "path": xml.findtext("target/path", default=""),
                    "state": _POOL_STATES.get(state, "unknown"),
                    "autostart": bool(pool.autostart()) if pool.isPersistent() else False,
                    "capacity": capacity,
                    "allocation": allocation,
                    "available": available,
                }
            )
    return sorted(found, key=lambda pool: str(pool["name"]))


def _networks(connection: Any) -> list[dict[str, Any]]:
    found = []
    for network in connection.listAllNetworks(0):
        with tolerating(*_GONE):
            xml = ElementTree.fromstring(network.XMLDesc(0))
            forward, bridge = xml.find("forward"), xml.find("bridge")
            found.append(
                {
                    "name": network.name(),
                    "uuid": network.UUIDString(),
                    "active": bool(network.isActive()),
                    "autostart": bool(network.autostart()) if network.isPersistent() else False,
                    "forward": "" if forward is None else forward.get("mode", "nat"),
                    "bridge": "" if bridge is None else bridge.get("name", ""),
                }
            )
    return sorted(found, key=lambda network: str(network["name"]))
