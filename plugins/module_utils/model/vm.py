# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A virtual machine: what is wanted of it, and the states it may be in."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .errors import InputError, Problem
from .field_list import read_list
from .name import check_labels, check_name
from .scheduling import SHAPING_FIELDS, SchedulingSpec, read_scheduling
from .transition import TransitionTable
from .units import GIB, HUGE_PAGE_KIB, MIB, format_mib, parse_bytes, parse_mib

CPU_MAX: Final = 512
RAM_MIN_MIB: Final = 64
RAM_MAX_MIB: Final = 16 * 1024 * 1024
DISK_MIN: Final = MIB
DISK_MAX: Final = 64 * 1024 * GIB
DISKS_MAX: Final = 16
NICS_MAX: Final = 8
USER_DATA_MAX: Final = 64 * 1024

DEFAULT_CPU: Final = 1
DEFAULT_RAM_MIB: Final = 512
DEFAULT_IMAGE: Final = "tiny"
DEFAULT_NETWORK: Final = "default"
DEFAULT_POOL: Final = "default"

DESIRED: Final = ("running", "stopped", "paused", "absent")

_MOVES: Final[dict[str, tuple[str, ...]]] = {
    "provisioning": ("running", "stopped", "error", "deleting", "lost"),
    "starting": ("running", "stopped", "error", "deleting", "unknown", "lost"),
    "running": (
        "stopping", "stopped", "pausing", "paused", "rebooting", "migrating", "starting", "deleting", "error",
        "unknown", "lost", "provisioning",
    ),
    "stopping": ("stopped", "running", "error", "deleting", "unknown", "lost"),
    "stopped": ("starting", "running", "paused", "deleting", "error", "unknown", "lost", "provisioning"),
    "pausing": ("paused", "running", "stopped", "error", "deleting", "unknown", "lost"),
    "paused": (
        "resuming", "running", "stopping", "stopped", "starting", "deleting", "error", "unknown", "lost",
        "provisioning", "migrating",
    ),
    "resuming": ("running", "paused", "stopped", "error", "deleting", "unknown", "lost"),
    "rebooting": ("running", "stopped", "error", "deleting", "unknown", "lost"),
    "migrating": ("running", "paused", "stopped", "error", "deleting", "unknown", "lost"),
    "error": ("starting", "stopping", "running", "stopped", "paused", "provisioning", "deleting", "unknown", "lost"),
    "unknown": ("running", "stopped", "paused", "error", "deleting", "lost", "starting", "provisioning"),
    "lost": ("running", "stopped", "paused", "deleting", "provisioning", "error", "unknown"),
    "deleting": ("deleted", "error"),
    "deleted": (),
}  # fmt: skip
VM_TRANSITIONS: Final = TransitionTable("VM", _MOVES)

# What a verb shows while it is under way, and the desired state it leaves.
VERBS: Final[dict[str, tuple[str, str | None]]] = {
    "start": ("starting", "running"),
    "stop": ("stopping", "stopped"),
    "reboot": ("rebooting", "running"),
    "reset": ("rebooting", "running"),
    "pause": ("pausing", "paused"),
    "resume": ("resuming", "running"),
    "migrate": ("migrating", None),
    "delete": ("deleting", "absent"),
}

_POOL = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")


@dataclass(frozen=True)
class DiskSpec:
    """A disk. ``size`` in bytes; ``pool`` the libvirt storage pool that holds it."""

    size: int
    pool: str = DEFAULT_POOL


def pool_bytes(disks: Iterable[tuple[str, int]]) -> dict[str, int]:
    """What disks take of each pool but the default one, in bytes.

    :param disks: each by the name of its pool and its size.
    """
    taken: dict[str, int] = {}
    for pool, size in disks:
        if pool != DEFAULT_POOL:
            taken[pool] = taken.get(pool, 0) + size
    return taken


def check_parts(cpu: int, ram_mib: int, *, nodes: int, huge_pages: bool, field: str = "") -> list[Problem]:
    """What of a VM does not come out even: NUMA nodes have equal parts of it, and huge pages are whole.

    :param nodes: how many NUMA nodes it has; 0 for none of its own.
    :param field: the path of ``numa`` and ``huge_pages``, for problems, with a dot at its end.
    """
    problems = []
    parts, page_mib = max(1, nodes), HUGE_PAGE_KIB // 1024
    if cpu % parts:
        message = f"{cpu} virtual CPUs do not come out even on {parts} NUMA nodes"
        problems.append(Problem(f"{field}numa", message, "as many CPUs on each node"))
    if ram_mib % parts:
        message = f"{format_mib(ram_mib)} do not come out even on {parts} NUMA nodes"
        problems.append(Problem(f"{field}numa", message, "as many MiB on each node"))
    elif huge_pages and ram_mib // parts % page_mib:
        message = f"{format_mib(ram_mib // parts)} {'on each node ' if nodes else ''}are not so many huge pages"
        problems.append(Problem(f"{field}huge_pages", message, f"memory in pages of {page_mib} MiB"))
    return problems


@dataclass(frozen=True)
class NicSpec:
    """A network card on the libvirt network of that name."""

    network: str = DEFAULT_NETWORK
    model: str = "virtio"


@dataclass(frozen=True)
class CloudInitSpec:
    """What cloud-init is handed, byte for byte. ``ssh_keys`` only when ``user_data`` is empty: they make one."""

    user_data: str = ""
    ssh_keys: tuple[str, ...] = ()
    network_config: str = ""

    def to_mapping(self) -> dict[str, Any]:
        return {
            "user_data": self.user_data,
            "ssh_keys": [*self.ssh_keys],
            "network_config": self.network_config,
        }


@dataclass(frozen=True)
class VmSpec:
    """What a caller wants of a VM. ``ram_mib`` in MiB. Specs of equal machines have equal hashes."""

    name: str
    cpu: int = DEFAULT_CPU
    ram_mib: int = DEFAULT_RAM_MIB
    image: str = DEFAULT_IMAGE
    disks: tuple[DiskSpec, ...] = ()
    nics: tuple[NicSpec, ...] = (NicSpec(),)
    cloud_init: CloudInitSpec | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    host: str | None = None
    scheduling: SchedulingSpec = field(default_factory=SchedulingSpec)

    def to_mapping(self) -> dict[str, Any]:
        """The spec as JSON, as it is stored. Without ``scheduling`` where nothing is asked of its place."""
        # Field by field: to have dataclasses take themselves apart costs six times as much, at every create.
        return {
            "name": self.name,
            "cpu": self.cpu,
            "ram_mib": self.ram_mib,
            "image": self.image,
            "disks": [{"size": disk.size, "pool": disk.pool} for disk in self.disks],
            "nics": [{"network": nic.network, "model": nic.model} for nic in self.nics],
            "cloud_init": None if self.cloud_init is None else self.cloud_init.to_mapping(),
            "labels": dict(self.labels),
            "host": self.host,
            **self._scheduling_mapping(),
        }

    def _scheduling_mapping(self) -> dict[str, Any]:
        asked = self.scheduling.to_mapping()
        return {"scheduling": asked} if asked else {}

    @classmethod
    def from_stored(cls, mapping: Mapping[str, Any]) -> VmSpec:
        """The inverse of :meth:`to_mapping`; trusts its input."""
        cloud_init = mapping.get("cloud_init")
        return cls(
            name=mapping["name"],
            cpu=mapping["cpu"],
            ram_mib=mapping["ram_mib"],
            image=mapping["image"],
            disks=tuple(DiskSpec(**disk) for disk in mapping["disks"]),
            nics=tuple(NicSpec(**nic) for nic in mapping["nics"]),
            cloud_init=None
            if cloud_init is None
            else CloudInitSpec(cloud_init["user_data"], tuple(cloud_init["ssh_keys"]), cloud_init["network_config"]),
            labels=dict(mapping["labels"]),
            host=mapping.get("host"),
            scheduling=SchedulingSpec.from_stored(mapping.get("scheduling", {})),
        )

    @property
    def disk_bytes(self) -> int:
        return sum(disk.size for disk in self.disks)

    def hash(self) -> str:
        """A digest of everything that makes the domain; where it was asked to run is not part of what it is."""
        content = self.to_mapping()
        content.pop("host")
        asked = content.pop("scheduling", {})
        made = {name: asked[name] for name in SHAPING_FIELDS if name in asked}
        if made:
            content["scheduling"] = made
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differences(self, other: VmSpec) -> dict[str, dict[str, Any]]:
        """Fields in which ``other`` differs: ``{"cpu": {"existing": 1, "requested": 2}}``."""
        nothing: dict[str, Any] = {"scheduling": {}}
        mine, theirs = nothing | self.to_mapping(), nothing | other.to_mapping()
        return {
            key: {"existing": mine[key], "requested": theirs[key]}
            for key in mine
            if mine[key] != theirs[key] and not (key == "host" and theirs[key] is None)
        }


_FIELDS: Final = ("name", "cpu", "ram", "image", "disks", "nics", "cloud_init", "labels", "host", "scheduling")


def parse_spec(body: Mapping[str, Any]) -> VmSpec:
    """Read what a caller wrote into a spec, naming every field that is wrong at once.

    :param body: ``name`` and any of ``cpu``, ``ram`` (``"4G"`` or MiB), ``image``, ``disks`` (sizes or mappings with
        ``size`` and ``pool``), ``nics`` (network names or mappings), ``cloud_init``, ``labels``, ``host``,
        ``scheduling`` (see ``model.scheduling``).
    :raises InputError: with one problem for each wrong field; unknown fields are wrong.
    """
    parser = _Parser(body)
    parser.reject_unknown(_FIELDS)
    spec = VmSpec(
        name=parser.read("name", _read_name, None),
        cpu=parser.read("cpu", _read_cpu, DEFAULT_CPU),
        ram_mib=parser.read("ram", _read_ram, DEFAULT_RAM_MIB),
        image=parser.read("image", _read_name, DEFAULT_IMAGE),
        disks=parser.read("disks", _read_disks, ()),
        nics=parser.read("nics", _read_nics, (NicSpec(),)),
        cloud_init=parser.read("cloud_init", _read_cloud_init, None),
        labels=parser.read("labels", _read_labels, {}),
        host=parser.read("host", _read_name, None),
        scheduling=parser.read("scheduling", read_scheduling, SchedulingSpec()),
    )
    asked = spec.scheduling
    parser.problems += check_parts(
        spec.cpu, spec.ram_mib, nodes=asked.numa, huge_pages=asked.huge_pages, field="scheduling."
    )
    if body.get("name") is None:
        parser.problems.append(Problem("name", "a name is needed", "a name such as web01"))
    if parser.problems:
        raise InputError(parser.problems)
    return spec


class _Parser:
    """Collects the problems of all fields, so that the caller mends them in one go."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body
        self.problems: list[Problem] = []

    def reject_unknown(self, known: tuple[str, ...]) -> None:
        self.problems.extend(
            Problem(str(key), "unknown field", "one of " + ", ".join(known)) for key in self.body if key not in known
        )

    def read(self, key: str, reader: Callable[[Any, str], Any], default: Any) -> Any:
        value = self.body.get(key)
        if value is None:
            return default
        try:
            return reader(value, key)
        except InputError as error:
            self.problems.extend(error.problems)
            return default


def _read_name(value: Any, key: str) -> str:
    problems = check_name(value, field=key)
    if problems:
        raise InputError(problems)
    return str(value)


def _read_cpu(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= CPU_MAX:
        raise InputError(
            [Problem(key, f"{value!r} is not a number of virtual CPUs", f"a whole number from 1 to {CPU_MAX}")]
        )
    return value


def _read_ram(value: Any, key: str) -> int:
    mib = parse_mib(value, field=key)
    if not RAM_MIN_MIB <= mib <= RAM_MAX_MIB:
        allowed = f"from {format_mib(RAM_MIN_MIB)} to {format_mib(RAM_MAX_MIB)}"
        raise InputError([Problem(key, f"{value!r} is outside what a VM may have", allowed)])
    return mib


def _read_disks(value: Any, key: str) -> tuple[DiskSpec, ...]:
    return tuple(_read_disk(item, f"{key}.{index}") for index, item in enumerate(read_list(value, key, DISKS_MAX)))


def _read_disk(item: Any, key: str) -> DiskSpec:
    mapping = item if isinstance(item, Mapping) else {"size": item}
    _only(mapping, ("size", "pool"), key)
    if "size" not in mapping:
        raise InputError([Problem(f"{key}.size", "a disk needs a size", 'text such as "10G"')])
    size = parse_bytes(mapping["size"], field=f"{key}.size", unit=GIB)
    if not DISK_MIN <= size <= DISK_MAX:
        raise InputError(
            [Problem(f"{key}.size", f"{mapping['size']!r} is outside what a disk may have", "1 MiB to 64 TiB")]
        )
    pool = mapping.get("pool", DEFAULT_POOL)
    if not isinstance(pool, str) or not _POOL.fullmatch(pool):
        raise InputError([Problem(f"{key}.pool", f"{pool!r} is not a pool's name", "letters, digits, . _ -")])
    return DiskSpec(size, pool)


def _read_nics(value: Any, key: str) -> tuple[NicSpec, ...]:
    return tuple(_read_nic(item, f"{key}.{index}") for index, item in enumerate(read_list(value, key, NICS_MAX)))


def _read_nic(item: Any, key: str) -> NicSpec:
    mapping = item if isinstance(item, Mapping) else {"network": item}
    _only(mapping, ("network", "model"), key)
    network = mapping.get("network", DEFAULT_NETWORK)
    if not isinstance(network, str) or not _POOL.fullmatch(network):
        raise InputError([Problem(f"{key}.network", f"{network!r} is not a network's name", "letters, digits, . _ -")])
    model = mapping.get("model", "virtio")
    if model not in ("virtio", "e1000", "e1000e", "rtl8139"):
        raise InputError([Problem(f"{key}.model", f"{model!r} is not a model", "virtio, e1000, e1000e or rtl8139")])
    return NicSpec(network, model)


def _read_cloud_init(value: Any, key: str) -> CloudInitSpec:
    if not isinstance(value, Mapping):
        raise InputError([Problem(key, "a mapping is needed", '{"user_data": "#cloud-config…"}')])
    _only(value, ("user_data", "ssh_keys", "network_config"), key)
    user_data = _read_text(value.get("user_data", ""), f"{key}.user_data")
    network_config = _read_text(value.get("network_config", ""), f"{key}.network_config")
    ssh_keys = tuple(
        _read_text(item, f"{key}.ssh_keys.{index}")
        for index, item in enumerate(read_list(value.get("ssh_keys", []), f"{key}.ssh_keys", 64))
    )
    if user_data and ssh_keys:
        raise InputError(
            [Problem(f"{key}.ssh_keys", "ssh_keys and user_data exclude each other", "put the keys into user_data")]
        )
    return CloudInitSpec(user_data, ssh_keys, network_config)


def _read_text(value: Any, key: str) -> str:
    if not isinstance(value, str) or len(value.encode()) > USER_DATA_MAX:
        raise InputError([Problem(key, "not a text of a fitting size", f"text of at most {USER_DATA_MAX} bytes")])
    return value


def _read_labels(value: Any, key: str) -> dict[str, str]:
    problems = check_labels(value, field=key)
    if problems:
        raise InputError(problems)
    return dict(value)


def _only(mapping: Mapping[str, Any], known: tuple[str, ...], key: str) -> None:
    unknown = [str(name) for name in mapping if name not in known]
    if unknown:
        raise InputError([Problem(f"{key}.{name}", "unknown field", "one of " + ", ".join(known)) for name in unknown])
