"""The most VMs that fit at all, as OR-tools' CP-SAT finds it: on small instances, and in its own time."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.group import NewVm
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.request import Request

GIB = 1024
AS_FREE = Limits(cpu_overcommit=1.0, ram_reserved_mib=0)
SIZES = ((1, 2), (1, 4), (2, 4), (2, 8), (2, 16), (4, 4), (4, 8), (4, 16), (8, 16), (8, 32), (6, 6), (3, 20))


@dataclass(frozen=True)
class Instance:
    """Hosts with VMs on them, and more VMs than will fit."""

    hosts: tuple[HostView, ...]
    vms: tuple[NewVm, ...]

    def fleet(self) -> Fleet:
        return Fleet(self.hosts)


def draw(hosts: int, dice: random.Random, crowding: float) -> Instance:
    """An instance whose VMs want so many times what is free of the scarcer of virtual CPUs and memory."""
    views = tuple(
        HostView(
            f"host-{number:02}", 32, 128 * GIB,
            allocated_cpu=dice.randrange(0, 16), allocated_ram_mib=dice.randrange(0, 64) * GIB,
        )
        for number in range(hosts)
    )  # fmt: skip
    cpu = sum(view.cpu - view.allocated_cpu for view in views)
    ram = sum(view.ram_mib - view.allocated_ram_mib for view in views)
    vms: list[NewVm] = []
    while max(sum(vm.request.cpu for vm in vms) / cpu, sum(vm.request.ram_mib for vm in vms) / ram) < crowding:
        size = dice.choice(SIZES)
        vms.append(NewVm(f"vm-{len(vms):03}", Request(size[0], size[1] * GIB)))
    return Instance(views, tuple(vms))


def most(instance: Instance, seconds: float) -> tuple[int, bool]:
    """How many of the VMs fit at once.

    :param seconds: how long it may take.
    :returns: the number, and whether that many really fit; if that is not known, more at least do not.
    :raises ImportError: where OR-tools are not installed.
    """
    from ortools.sat.python import cp_model

    model: Any = cp_model.CpModel()
    lies = {
        (vm.id, host.id): model.new_bool_var(f"{vm.id} on {host.id}") for vm in instance.vms for host in instance.hosts
    }
    for vm in instance.vms:
        model.add_at_most_one(lies[vm.id, host.id] for host in instance.hosts)
    for host in instance.hosts:
        for left, size in (
            (host.cpu - host.allocated_cpu, lambda request: request.cpu),
            (host.ram_mib - host.allocated_ram_mib, lambda request: request.ram_mib),
        ):
            model.add(sum(int(size(vm.request)) * lies[vm.id, host.id] for vm in instance.vms) <= int(left))
    model.maximize(sum(lies.values()))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 2
    status = solver.solve(model)
    return round(solver.best_objective_bound), status == cp_model.OPTIMAL
