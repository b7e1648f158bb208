"""Quotas: what a project may have."""

from __future__ import annotations

from collections.abc import Mapping

from minicloud_core.model.errors import QuotaError

from minicloud.store.project import ProjectRow

UNITS: Mapping[str, str] = {
    "vms": "VMs",
    "cpu": "virtual CPUs",
    "ram_mib": "MiB of memory",
    "disk_bytes": "bytes of disk",
}


def limits(project: ProjectRow) -> bool:
    """Whether there is anything that a project may have only so much of."""
    return _limits(project) != (None, None, None, None)


def check(project: ProjectRow, used: tuple[int, int, int, int], wanted: tuple[int, int, int, int]) -> None:
    """Pure.

    :param used: the project's VMs, virtual CPUs, MiB and bytes; ``wanted`` what is to come on top.
    :raises QuotaError: naming each limit that would be passed, with its numbers.
    """
    passed = {
        name: {"limit": limit, "used": have, "requested": want}
        for (name, limit, have, want) in zip(UNITS, _limits(project), used, wanted, strict=True)
        if limit is not None and have + want > limit
    }
    if passed:
        words = "; ".join(
            f"{numbers['used']} of {numbers['limit']} {UNITS[name]} are used, {numbers['requested']} more do not fit"
            for name, numbers in passed.items()
        )
        raise QuotaError(
            f"Project {project.name}'s quota does not allow this: {words}",
            hint="delete a VM, ask for less, or have an admin raise the quota",
            details={"limits": passed},
        )


def _limits(project: ProjectRow) -> tuple[int | None, int | None, int | None, int | None]:
    return project.vm_limit, project.cpu_limit, project.ram_mib_limit, project.disk_bytes_limit
