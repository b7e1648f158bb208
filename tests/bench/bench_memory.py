"""How much memory a large fleet takes: 10,000 hosts and 100,000 VMs, all of them with labels and groups.

Measured in a process of its own, so that nothing but the scheduler is in it. `python -m tests.bench.bench_memory`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.scorers import SCORERS
from minicloud_core.scheduler.spread import Spread

from tests.bench.figures import Table

HOSTS, VMS = 10_000, 100_000
NOW = 1_000_000.0
GIB = 1024
# What the issue allows.
MOST_MB = 500
# More kinds of requests than a scheduler remembers.
KINDS = 100


def measure() -> Table:
    """Megabytes after each step."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_memory"],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    steps = json.loads(answer.stdout)
    return Table(
        "Memory",
        f"Resident megabytes of a process that holds {HOSTS:,} hosts and {VMS:,} VMs, Python and NumPy included. "
        "Each VM has three labels, one its own, and a group of ten; a fifth keep apart. All scorers on; "
        f"{KINDS} kinds of requests asked for. At most {MOST_MB} are allowed.",
        tuple(steps),
        (tuple(f"{megabytes:,.0f}" for megabytes in steps.values()),),
    )


def fill(hosts: int, vms: int) -> Fleet:
    """A fleet with VMs all over it."""
    nodes = (NumaNode(32, 128 * GIB),) * 2
    fleet = Fleet(
        HostView(f"host-{number:05d}", 64, 256 * GIB, 2**42, load=0.5, load_at=NOW, numa=nodes, labels=_labels(number))
        for number in range(hosts)
    )
    for number in range(vms):
        fleet.add(f"vm-{number}", f"host-{number % hosts:05d}", _vm(number))
    return fleet


def ask(fleet: Fleet) -> None:
    """Ask for as many kinds of VMs as are remembered, and for company, so that all that is kept is there."""
    scheduler = Scheduler(fleet, Policy("everything", weights=dict.fromkeys(SCORERS, 1.0)))
    for number in range(KINDS):
        apart = ("tier=web",) if number % 10 == 0 else ()
        spread = (Spread("rack", 5),) if number % 2 else ()
        request = Request(
            1 + number % 7, (1 + number % 11) * GIB, group=f"asked-{number}", anti_affinity=apart, spread=spread
        )
        scheduler.place(request, now=NOW)
        host = scheduler.choose(request, now=NOW)
        if host is not None:
            scheduler.take(f"asked-{number}", host, request)


def _labels(host: int) -> dict[str, str]:
    return {"rack": f"r{host // 40}", "zone": f"z{host // 1000}"}


def _vm(number: int) -> Request:
    cpu = (1, 2, 4, 8)[number % 4]
    group = f"group-{number // 10}"
    return Request(
        cpu,
        cpu * 2 * GIB,
        10 * 2**30,
        labels={"tier": ("web", "db", "app")[number % 3], "app": f"app-{number % 500}", "name": f"web{number}"},
        group=group,
        project=f"project-{number % 20}",
        anti_affinity=(f"group:{group}",) if number % 5 == 0 else (),
        vm=f"vm-{number}",
    )


def _resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _main() -> None:
    steps = {"start": _resident()}
    fleet = fill(HOSTS, VMS)
    steps["fleet"] = _resident()
    ask(fleet)
    steps["asked"] = _resident()
    print(json.dumps(steps))
    assert steps["asked"] < MOST_MB, f"{steps['asked']:.0f} MB are more than {MOST_MB}"


if __name__ == "__main__":
    _main()
