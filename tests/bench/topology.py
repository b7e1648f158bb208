"""Placement requests of a real cloud, read from ``data/topology`` (its README says what they are)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from minicloud_core.scheduler.host import HostView, NumaNode
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.request import Request

DATA: Final = Path(__file__).parent / "data" / "topology"
GIB: Final = 1024  # in MiB
# The hosts' figures are what is free: each CPU is promised once, and nothing is kept back.
AS_FREE: Final = Limits(cpu_overcommit=1.0, ram_reserved_mib=0)


def hosts() -> list[HostView]:
    """The hosts, by capacity and NUMA nodes. Numbers have leading zeros: by name is in the file's order."""
    return [_host(row) for row in _rows("hosts.csv")]


def requests() -> list[Request]:
    """Both sequences, one after the other, by capacity and NUMA nodes."""
    return [_request(row) for name in ("vms_c1.csv", "vms_c2.csv") for row in _rows(name)]


def placed_before_refusal(scheduler: Scheduler, wanted: list[Request]) -> int:
    """Place one VM after another until the first that fits nowhere.

    :returns: how many were placed.
    """
    for count, request in enumerate(wanted):
        host = scheduler.choose(request, now=0.0)
        if host is None:
            return count
        scheduler.take(f"vm-{count}", host, request)
    return len(wanted)


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _host(row: dict[str, str]) -> HostView:
    nodes = tuple(NumaNode(int(row[f"numa{node}_cpu"]), int(row[f"numa{node}_ram"]) * GIB) for node in (0, 1))
    number = int(row["host"].removeprefix("host-"))
    return HostView(
        f"host-{number:04}",
        cpu=sum(node.cpu for node in nodes),
        ram_mib=sum(node.ram_mib for node in nodes),
        numa=nodes,
    )


def _request(row: dict[str, str]) -> Request:
    return Request(int(row["cpu"]), int(row["ram"]) * GIB, numa=int(row["numa"]))
