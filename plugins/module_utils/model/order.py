# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Orders: everything a module needs to know, so that it picks nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .errors import InputError, Problem
from .image import Image

STATES: Final = ("present", "running", "stopped", "paused", "absent")
ACTIONS: Final = ("reboot", "reset")


@dataclass(frozen=True)
class DiskOrder:
    """A disk to be there. ``name`` is the guest's device (``vda``), ``size`` bytes, ``pool`` the storage pool."""

    name: str
    size: int
    pool: str = "default"


@dataclass(frozen=True)
class NicOrder:
    """A card to be there, with the MAC it keeps for life."""

    network: str
    mac: str
    model: str = "virtio"


@dataclass(frozen=True)
class SeedOrder:
    """The three files of a NoCloud seed, byte for byte."""

    user_data: str
    meta_data: str
    network_config: str = ""


@dataclass(frozen=True)
class VmOrder:
    """One VM on one host, as it is to be. ``ram`` in MiB; ``wait`` and ``graceful`` in seconds.

    :param machine: the machine type that it must be; empty for the host's best, or what it is.
    :param huge_pages: whether its memory comes from the host's huge pages.
    :param pinned: whether each of its virtual CPUs has a thread of the host for itself.
    :param numa: the host's NUMA nodes on which it lies, one for each of the guest's; empty for a guest that has none.
    """

    id: str
    uuid: str
    name: str
    project: str
    state: str
    epoch: int
    spec_hash: str
    cpu: int
    ram: int
    image: Image | None = None
    disks: tuple[DiskOrder, ...] = ()
    nics: tuple[NicOrder, ...] = ()
    cloud_init: SeedOrder | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    huge_pages: bool = False
    pinned: bool = False
    numa: tuple[int, ...] = ()
    operation: str = ""
    action: str | None = None
    wait: float = 60
    graceful: float = 20

    def to_mapping(self) -> dict[str, Any]:
        """The order as JSON, as a run's inventory carries it; what there is none of is left out, as a task would."""
        seed = self.cloud_init
        mapping: dict[str, Any] = {
            "id": self.id,
            "uuid": self.uuid,
            "name": self.name,
            "project": self.project,
            "state": self.state,
            "epoch": self.epoch,
            "spec_hash": self.spec_hash,
            "cpu": self.cpu,
            "ram": self.ram,
            "image": None if self.image is None else self.image.to_mapping(),
            "disks": [{"name": disk.name, "size": disk.size, "pool": disk.pool} for disk in self.disks],
            "nics": [{"network": nic.network, "mac": nic.mac, "model": nic.model} for nic in self.nics],
            "cloud_init": None
            if seed is None
            else {"user_data": seed.user_data, "meta_data": seed.meta_data, "network_config": seed.network_config},
            "labels": dict(self.labels),
            "machine": self.machine or None,
            "huge_pages": self.huge_pages,
            "pinned": self.pinned,
            "numa": [*self.numa],
            "operation": self.operation,
            "action": self.action,
            "wait": self.wait,
            "graceful": self.graceful,
        }
        return {key: value for key, value in mapping.items() if value is not None}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> VmOrder:
        """Read an order.

        :raises InputError: naming the first field that is missing or wrong.
        """
        for key in ("id", "uuid", "name", "state"):
            if not mapping.get(key):
                raise InputError([Problem(key, "missing from the order", "a complete order picks nothing by itself")])
        if mapping["state"] not in STATES:
            raise InputError([Problem("state", f"{mapping['state']!r} is not a state", ", ".join(STATES))])
        action = mapping.get("action")
        if action is not None and action not in ACTIONS:
            raise InputError([Problem("action", f"{action!r} is not an action", ", ".join(ACTIONS))])
        image, seed = mapping.get("image"), mapping.get("cloud_init")
        return cls(
            id=str(mapping["id"]),
            uuid=str(mapping["uuid"]).lower(),
            name=str(mapping["name"]),
            project=str(mapping.get("project") or "default"),
            state=str(mapping["state"]),
            epoch=int(mapping.get("epoch") or 0),
            spec_hash=str(mapping.get("spec_hash") or ""),
            cpu=int(mapping.get("cpu") or 1),
            ram=int(mapping.get("ram") or 512),
            image=None if image is None else Image.from_mapping(image),
            disks=tuple(
                DiskOrder(str(disk["name"]), int(disk["size"]), str(disk.get("pool") or "default"))
                for disk in mapping.get("disks") or ()
            ),
            nics=tuple(
                NicOrder(str(nic["network"]), str(nic["mac"]).lower(), str(nic.get("model") or "virtio"))
                for nic in mapping.get("nics") or ()
            ),
            cloud_init=None
            if seed is None
            else SeedOrder(str(seed["user_data"]), str(seed["meta_data"]), str(seed.get("network_config") or "")),
            labels={str(key): str(value) for key, value in (mapping.get("labels") or {}).items()},
            machine=str(mapping.get("machine") or ""),
            huge_pages=bool(mapping.get("huge_pages")),
            pinned=bool(mapping.get("pinned")),
            numa=tuple(int(node) for node in mapping.get("numa") or ()),
            operation=str(mapping.get("operation") or ""),
            action=action,
            wait=float(mapping.get("wait") or 60),
            graceful=float(20 if mapping.get("graceful") is None else mapping["graceful"]),
        )


@dataclass(frozen=True)
class MigrationOrder:
    """One VM to move from the host that runs the module to another. ``bandwidth_mib`` in MiB/s, 0 for no limit.

    :param numa: the destination's NUMA nodes on which it is to lie; empty for those of the same numbers.
    """

    id: str
    uuid: str
    name: str
    epoch: int
    source: str
    destination: str
    destination_uri: str
    migrate_host: str
    operation: str = ""
    live: bool = True
    copy_storage: bool = False
    tls: bool = False
    bandwidth_mib: int = 0
    timeout: float = 120
    numa: tuple[int, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        return {**self.__dict__, "numa": [*self.numa]}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> MigrationOrder:
        """Read an order.

        :raises InputError: naming the first field that is missing or unknown.
        """
        for key in ("id", "uuid", "destination_uri"):
            if not mapping.get(key):
                raise InputError([Problem(key, "missing from the order", "a complete order picks nothing by itself")])
        return cls(
            id=str(mapping["id"]),
            uuid=str(mapping["uuid"]).lower(),
            name=str(mapping.get("name") or mapping["id"]),
            epoch=int(mapping.get("epoch") or 0),
            source=str(mapping.get("source") or ""),
            destination=str(mapping.get("destination") or ""),
            destination_uri=str(mapping["destination_uri"]),
            migrate_host=str(mapping.get("migrate_host") or ""),
            operation=str(mapping.get("operation") or ""),
            live=bool(mapping.get("live", True)),
            copy_storage=bool(mapping.get("copy_storage", False)),
            tls=bool(mapping.get("tls", False)),
            bandwidth_mib=int(mapping.get("bandwidth_mib") or 0),
            timeout=float(mapping.get("timeout") or 120),
            numa=tuple(int(node) for node in mapping.get("numa") or ()),
        )
