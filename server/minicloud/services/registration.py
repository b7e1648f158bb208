"""Reading what registration says of a host. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from minicloud_core.model.errors import InputError, Problem
from minicloud_core.model.name import check_labels, check_name
from minicloud_core.model.scheduling import BANDWIDTH_MAX_MBPS

from .order import bracket
from .view.host import HostSpec

# An IP address or a host name. It goes into inventories, URLs and command lines: nothing else is safe there.
_ADDRESS: Final = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?$")
_USER: Final = re.compile(r"^[a-z_][a-z0-9_-]{0,31}$")
# A program on the service's PATH, or one at a place of its own; registering a host is an admin's right.
_AGENT: Final = re.compile(r"(?:/(?:[A-Za-z0-9_.@+-]+/)*)?fence_[A-Za-z0-9_-]{1,64}")
_PATH: Final = re.compile(r"^/[A-Za-z0-9._/+@-]{1,1023}$")
OVERCOMMIT_MAX: Final = 64
WATTS_MAX: Final = 1_000_000


def check(spec: HostSpec) -> None:
    """:raises InputError: naming every field that is wrong."""
    problems = [*check_name(spec.name)]
    problems += _match(_ADDRESS, "address", spec.address, "an IP address or a host name")
    problems += _match(_USER, "ssh_user", spec.ssh_user, "a user's name")
    if spec.migrate_address:
        problems += _match(_ADDRESS, "migrate_address", spec.migrate_address, "an IP address or a host name")
    if spec.ssh_key_file is not None:
        problems += _match(_PATH, "ssh_key_file", spec.ssh_key_file, "an absolute path on the service's machine")
    if not 1 <= spec.ssh_port <= 65535:
        problems.append(Problem("ssh_port", f"{spec.ssh_port} is not a port", "1 to 65535"))
    if spec.libvirt_uri and not urlsplit(spec.libvirt_uri).scheme.startswith("qemu"):
        problems.append(Problem("libvirt_uri", f"{spec.libvirt_uri!r} is not one of QEMU", "qemu+tls://ADDRESS/system"))
    if spec.labels is not None:
        problems += check_labels(dict(spec.labels))
    if spec.cpu_overcommit is not None and not 0 < spec.cpu_overcommit <= OVERCOMMIT_MAX:
        allowed = f"more than 0, at most {OVERCOMMIT_MAX}"
        problems.append(Problem("cpu_overcommit", f"{spec.cpu_overcommit} is not a factor", allowed))
    if spec.ram_reserved_mib is not None and spec.ram_reserved_mib < 0:
        problems.append(Problem("ram_reserved_mib", f"{spec.ram_reserved_mib} is not an amount", "0 or more MiB"))
    problems += [
        found
        for index, name in enumerate(spec.dedicated or ())
        for found in check_name(name, field=f"dedicated.{index}")
    ]
    problems += _check_power(spec.power)
    if spec.bandwidth_mbps is not None and not 0 <= spec.bandwidth_mbps <= BANDWIDTH_MAX_MBPS:
        allowed = f"Mbit/s, 0 to {BANDWIDTH_MAX_MBPS}; 0 where it is not known"
        problems.append(Problem("bandwidth_mbps", f"{spec.bandwidth_mbps} is not a bandwidth", allowed))
    problems += _check_fence(spec.fence)
    if problems:
        raise InputError(problems)


def columns(spec: HostSpec) -> dict[str, Any]:
    """What a registration writes; what it leaves out stays as it is."""
    written: dict[str, Any] = {
        "address": spec.address,
        "ssh_user": spec.ssh_user,
        "ssh_port": spec.ssh_port,
        "ssh_key_file": spec.ssh_key_file,
        "libvirt_uri": spec.libvirt_uri or f"qemu+tls://{bracket(spec.address)}/system",
        "migrate_address": spec.migrate_address or spec.address,
        "cpu_overcommit": spec.cpu_overcommit,
        "ram_reserved_mib": spec.ram_reserved_mib,
    }
    if spec.labels is not None:
        written["labels"] = dict(spec.labels)
    if spec.dedicated is not None:
        written["dedicated"] = sorted(set(spec.dedicated)) or None
    if spec.power is not None:
        written["power"] = dict(spec.power) or None
    if spec.bandwidth_mbps is not None:
        written["bandwidth_mbps"] = spec.bandwidth_mbps or None
    if spec.fence is not None:
        written["fence"] = (
            {"agent": spec.fence["agent"], "options": dict(spec.fence.get("options") or {})} if spec.fence else None
        )
    return written


def _match(pattern: re.Pattern[str], field: str, value: str, allowed: str) -> list[Problem]:
    return [] if pattern.fullmatch(value) else [Problem(field, f"{value!r} cannot be used", allowed)]


def _check_power(power: Mapping[str, Any] | None) -> list[Problem]:
    if not power:
        return []
    problems = [Problem(f"power.{key}", "unknown field", ", ".join(_POWER)) for key in power if key not in _POWER]
    for key in _POWER:
        watts = power.get(key)
        if isinstance(watts, bool) or not isinstance(watts, (int, float)) or not 0 <= watts <= WATTS_MAX:
            problems.append(Problem(f"power.{key}", f"{watts!r} is not a number of watts", f"0 to {WATTS_MAX}"))
    if not problems and power["max_w"] < power["idle_w"]:
        message = f"{power['max_w']:g} W at full load is less than {power['idle_w']:g} W idle"
        problems.append(Problem("power.max_w", message, "as much as idle_w, or more"))
    return problems


_POWER: Final = ("idle_w", "max_w")


def _check_fence(fence: Mapping[str, Any] | None) -> list[Problem]:
    if not fence:
        return []
    problems = [Problem(f"fence.{key}", "unknown field", "agent, options") for key in fence if key not in _FENCE]
    agent = fence.get("agent")
    if not isinstance(agent, str) or not _AGENT.fullmatch(agent) or "/../" in agent:
        allowed = "a name such as fence_ipmilan, or the absolute path of one"
        problems.append(Problem("fence.agent", f"{agent!r} is not a fence agent", allowed))
    options = fence.get("options") or {}
    if not isinstance(options, Mapping):
        return [*problems, Problem("fence.options", "options are a mapping", '{"ip": "10.0.0.9"}')]
    for key, value in options.items():
        if not isinstance(value, (str, int, float, bool)) or "\n" in str(value) or "\n" in str(key):
            problems.append(Problem(f"fence.options.{key}", "not a single line of text", "text or a number"))
    return problems


_FENCE: Final = ("agent", "options")
