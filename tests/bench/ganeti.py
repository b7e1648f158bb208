"""Ganeti's balancer on a fleet of ours: the text form that its htools read, and what hbal says."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from minicloud_core.model.units import MIB
from minicloud_core.scheduler.fleet import Fleet

# Disks on storage that all hosts reach, so that a VM moves as a whole and takes no disk of a host.
_TEMPLATE = "rbd"
_SPECS = "128,1,1024,1,1,1|128,1,1024,1,1,1;1048576,1024,1048576,16,8,12"
_TEMPLATES = "diskless,file,sharedfile,plain,blockdev,drbd,rbd,ext,gluster"


@dataclass(frozen=True)
class Balanced:
    """What hbal found: the score before and after, its moves, and its seconds of processor."""

    before: float
    after: float
    moves: int
    seconds: float


def hbal(fleet: Fleet, patience: float) -> Balanced | None:
    """What hbal makes of a fleet by its default limits, leaving out dynamic load, of which it would assume some.

    :param patience: seconds that it gets.
    :returns: None where it is not installed or takes longer.
    """
    program = shutil.which("hbal")
    if program is None:
        return None
    with TemporaryDirectory() as folder:
        file = Path(folder) / "fleet"
        file.write_text(text(fleet), encoding="utf-8")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            answer = subprocess.run(
                [program, "-t", str(file), "--ignore-dynu"],
                check=True,
                capture_output=True,
                text=True,
                timeout=patience,
            )
        except subprocess.TimeoutExpired:
            return None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    score = re.search(r"score improved from ([\d.]+) to ([\d.]+)", answer.stdout)
    length = re.search(r"Solution length=(\d+)", answer.stdout)
    assert score is not None, answer.stdout
    assert length is not None, answer.stdout
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Balanced(float(score[1]), float(score[2]), int(length[1]), seconds)


def text(fleet: Fleet) -> str:
    """A fleet as htools read it: groups, nodes, instances, tags and limits."""
    nodes = [_node(fleet, row) for row in range(len(fleet))]
    limits = f"{_SPECS}|{_TEMPLATES}|64.0|1024.0"
    sections = ["fleet|uuid|preferred||", "\n".join(nodes), "\n".join(_vm(fleet, vm) for vm in fleet.vms()), ""]
    return "\n\n".join(sections) + f"\n|{limits}\nfleet|{limits}\n"


def _node(fleet: Fleet, row: int) -> str:
    ram, disk = int(fleet.ram[row]), int(fleet.disk[row]) // MIB
    free = ram - int(fleet.ram_used[row])
    return f"{fleet.hosts[row].id}|{ram}|0|{free}|{disk}|{disk}|{int(fleet.cpu[row])}|N|uuid|1||N|0|1|1.0"


def _vm(fleet: Fleet, vm: str) -> str:
    request = fleet.request_of(vm)
    return f"{vm}|{request.ram_mib}|1024|{int(request.cpu)}|running|Y|{fleet.where(vm)}||{_TEMPLATE}||1|1|N"
