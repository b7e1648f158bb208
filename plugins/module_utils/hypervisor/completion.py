# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""From what a person or the service wrote to a complete order.

The service's orders are complete. A person leaves out what is to stay as it is, or what may be derived.
"""

from __future__ import annotations

import hashlib
import re
import uuid as uuids
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..model.errors import InputError, Problem
from ..model.machine import check_machine
from ..model.name import check_labels, check_name
from ..model.order import VmOrder
from ..model.units import parse_bytes, parse_mib
from ..model.vm import (
    CPU_MAX,
    DEFAULT_CPU,
    DEFAULT_NETWORK,
    DEFAULT_POOL,
    DEFAULT_RAM_MIB,
    RAM_MAX_MIB,
    RAM_MIN_MIB,
    check_parts,
)
from .definition import Definition, KernelBoot
from .image import with_name

_DISK: Final = re.compile(r"vd[a-y]")
_MAC: Final = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class VmRequest:
    """A complete order, and how to boot where no image says it: None for the first disk."""

    order: VmOrder
    boot: KernelBoot | None


def derive_uuid(host_uuid: str, vm_id: str) -> str:
    """The UUID of a VM whose order names none: always the same for one id on one host."""
    return str(uuids.uuid5(uuids.UUID(host_uuid), f"minicloud:{vm_id}"))


def derive_mac(uuid: str, index: int, taken: frozenset[str]) -> str:
    """A MAC in QEMU's range for a card whose order names none, the same each time; not one of ``taken``."""
    for attempt in range(256):
        digest = hashlib.sha256(f"{uuid}/{index}/{attempt}".encode()).hexdigest()
        mac = f"52:54:00:{digest[0:2]}:{digest[2:4]}:{digest[4:6]}"
        if mac not in taken:
            return mac
    raise AssertionError("256 digests cannot all be among a handful of addresses")


def complete(mapping: Mapping[str, Any], known: Definition | None, host_uuid: str) -> VmRequest:
    """Fill an order's gaps: from the domain that exists, else by derivation, else by defaults.

    :param mapping: an order as :meth:`.VmOrder.to_mapping` gives it, in which anything but a name or an id may be
        missing or None; ``ram`` and disk sizes also as text; ``kernel``, ``initrd`` and ``cmdline`` beside ``image``.
    :param known: the VM's domain on this host, if there is one.
    :raises InputError: naming every field that is wrong.
    """
    given = {key: value for key, value in mapping.items() if value is not None}
    problems: list[Problem] = []
    given["name"] = given.get("name") or (known.metadata.name if known else given.get("id", ""))
    given["id"] = given.get("id") or (known.metadata.id if known else given["name"])
    problems += check_name(given["name"]) + check_name(given["id"], field="id")
    uuid = given.get("uuid") or (known.uuid if known else "")
    given["uuid"] = read_uuid(uuid) if uuid else derive_uuid(host_uuid, given["id"])
    _fill_state(given, problems)
    _fill_identity(given, known)
    _fill_size(given, known, problems)
    _fill_seat(given, known, problems)
    _fill_disks(given, known, problems)
    _fill_nics(given, known, problems)
    _fill_cloud_init(given, problems)
    given.setdefault("labels", dict(known.labels) if known else {})
    problems += check_labels(given["labels"])
    boot = _read_boot(given, known, problems)
    if problems:
        raise InputError(problems)
    order = VmOrder.from_mapping(given)
    if order.image is not None and "cmdline" in given and boot is None:
        order = replace(order, image=replace(order.image, cmdline=given["cmdline"]))
    return VmRequest(order, boot)


def read_uuid(value: object) -> str:
    """A UUID as libvirt writes it.

    :raises InputError: when it is none.
    """
    try:
        return str(uuids.UUID(str(value)))
    except ValueError:
        allowed = "such as 3f0c2a9e-8d55-4c0e-9a43-5a9d3b8f6f10"
        raise InputError([Problem("uuid", f"{value!r} is not a UUID", allowed)]) from None


def _fill_state(given: dict[str, Any], problems: list[Problem]) -> None:
    state = given.setdefault("state", "running" if given.get("action") else "present")
    if given.get("action") and state != "running":
        problems.append(Problem("action", f"a VM that is to be {state} cannot be told to {given['action']}", "running"))


def _fill_identity(given: dict[str, Any], known: Definition | None) -> None:
    given.setdefault("project", known.metadata.project if known else "default")
    given.setdefault("epoch", known.metadata.epoch if known else 0)
    given.setdefault("spec_hash", known.metadata.spec_hash if known else "")


def _fill_size(given: dict[str, Any], known: Definition | None, problems: list[Problem]) -> None:
    given.setdefault("cpu", known.cpu if known else DEFAULT_CPU)
    if not 1 <= given["cpu"] <= CPU_MAX:
        problems.append(
            Problem("cpu", f"{given['cpu']} is not a number of virtual CPUs", f"a whole number from 1 to {CPU_MAX}")
        )
    given.setdefault("ram", known.ram if known else DEFAULT_RAM_MIB)
    try:
        given["ram"] = parse_mib(given["ram"], field="ram")
    except InputError as error:
        problems.extend(error.problems)
        return
    if not RAM_MIN_MIB <= given["ram"] <= RAM_MAX_MIB:
        allowed = f"from {RAM_MIN_MIB} to {RAM_MAX_MIB} MiB"
        problems.append(Problem("ram", f"{given['ram']} MiB is outside what a VM may have", allowed))


def _fill_seat(given: dict[str, Any], known: Definition | None, problems: list[Problem]) -> None:
    if given.get("machine"):
        problems += check_machine(given["machine"], field="machine")
    given.setdefault("huge_pages", known is not None and known.huge_pages)
    given.setdefault("pinned", known is not None and known.pinned)
    given.setdefault("numa", [*known.numa] if known else [])
    nodes = given["numa"]
    if any(not isinstance(node, int) or node < 0 for node in nodes) or len(nodes) != len({*nodes}):
        problems.append(
            Problem("numa", f"{nodes!r} are not NUMA nodes of the host", "numbers such as [0, 1], each once")
        )
    elif isinstance(given["ram"], int):
        problems += check_parts(given["cpu"], given["ram"], nodes=len(nodes), huge_pages=bool(given["huge_pages"]))


def _fill_disks(given: dict[str, Any], known: Definition | None, problems: list[Problem]) -> None:
    if "disks" not in given and known is not None:
        given["disks"] = [{"name": disk.name, "size": disk.size} for disk in known.disks]
        return
    disks = given.get("disks", [])
    # An image that boots from a disk needs one; a size of 0 makes it as large as the image.
    if not disks and (given.get("image") or {}).get("kind") == "disk":
        disks = [{}]
    given["disks"] = [_read_disk(disk, index, problems) for index, disk in enumerate(disks)]
    _refuse_twins("disks", "name", given["disks"], problems)


def _read_disk(disk: Mapping[str, Any], index: int, problems: list[Problem]) -> dict[str, Any]:
    name = disk.get("name") or f"vd{chr(ord('a') + index)}"
    if not _DISK.fullmatch(name):
        problems.append(Problem(f"disks.{index}.name", f"{name!r} is not a virtio disk", "vda to vdy"))
    size = 0
    try:
        size = parse_bytes(disk.get("size") or 0, field=f"disks.{index}.size")
    except InputError as error:
        problems.extend(error.problems)
    return {"name": name, "size": size, "pool": disk.get("pool") or DEFAULT_POOL}


def _fill_nics(given: dict[str, Any], known: Definition | None, problems: list[Problem]) -> None:
    if "nics" not in given and known is not None:
        given["nics"] = [{"network": nic.network, "mac": nic.mac, "model": nic.model} for nic in known.nics]
        return
    nics = [
        {
            "network": nic.get("network") or DEFAULT_NETWORK,
            "mac": (nic.get("mac") or "").lower(),
            "model": nic.get("model") or "virtio",
        }
        for nic in given.get("nics", [{}])
    ]
    for index, nic in enumerate(nics):
        if nic["mac"] and not _MAC.fullmatch(nic["mac"]):
            problems.append(Problem(f"nics.{index}.mac", f"{nic['mac']!r} is not a MAC", "such as 52:54:00:1a:2b:3c"))
    _keep_macs(nics, known)
    _derive_macs(nics, str(given["uuid"]))
    given["nics"] = nics
    _refuse_twins("nics", "mac", nics, problems)


def _keep_macs(nics: list[dict[str, Any]], known: Definition | None) -> None:
    """Cards without a MAC take over those of the domain's cards on the same network, in order."""
    claimed = {nic["mac"] for nic in nics}
    free = [nic for nic in (known.nics if known else ()) if nic.mac not in claimed]
    for nic in nics:
        match = next((card for card in free if not nic["mac"] and card.network == nic["network"]), None)
        if match is not None:
            nic["mac"] = match.mac
            free.remove(match)


def _derive_macs(nics: list[dict[str, Any]], uuid: str) -> None:
    for index, nic in enumerate(nics):
        if not nic["mac"]:
            nic["mac"] = derive_mac(uuid, index, frozenset(other["mac"] for other in nics))


def _refuse_twins(field: str, key: str, items: Sequence[Mapping[str, Any]], problems: list[Problem]) -> None:
    values = [item[key] for item in items]
    problems.extend(
        Problem(f"{field}.{index}.{key}", f"{value!r} is given twice", "each one once")
        for index, value in enumerate(values)
        if value in values[:index]
    )


def _fill_cloud_init(given: dict[str, Any], problems: list[Problem]) -> None:
    seed = given.get("cloud_init")
    if seed is None:
        return
    problems.extend(
        Problem(f"cloud_init.{key}", "not text", "text, which reaches the guest byte for byte")
        for key, value in seed.items()
        if value is not None and not isinstance(value, str)
    )
    # The instance's id makes cloud-init run once: it has to stay what it is for the VM's life.
    identity = f"instance-id: {given['uuid']}\nlocal-hostname: {given['name']}\n"
    given["cloud_init"] = {
        "user_data": seed.get("user_data") or "",
        "meta_data": seed.get("meta_data") or identity,
        "network_config": seed.get("network_config") or "",
    }


def _read_boot(given: Mapping[str, Any], known: Definition | None, problems: list[Problem]) -> KernelBoot | None:
    problems.extend(
        Problem(key, f"{given[key]!r} is not a path on the host", "an absolute path")
        for key in ("kernel", "initrd")
        if given.get(key) and not str(given[key]).startswith("/")
    )
    problems.extend(
        Problem(key, "holds control characters", "one line of text")
        for key in ("kernel", "initrd", "cmdline")
        if _CONTROL.search(str(given.get(key, "")))
    )
    if given.get("initrd") and not given.get("kernel"):
        problems.append(Problem("initrd", "an initrd without a kernel boots nothing", "give kernel as well"))
    if given.get("kernel"):
        cmdline = with_name(str(given.get("cmdline", "")), str(given["name"]))
        return KernelBoot(str(given["kernel"]), str(given.get("initrd", "")), cmdline)
    if given.get("image") is not None or known is None or known.boot is None:
        return None
    return _kept_boot(given, known.boot)


def _kept_boot(given: Mapping[str, Any], boot: KernelBoot) -> KernelBoot:
    if "cmdline" in given:
        return replace(boot, cmdline=with_name(str(given["cmdline"]), str(given["name"])))
    return boot
