"""The rule that any one host may fail, in the plainest words: each fails, and its VMs are put on the others one by one.

See ``reference``. ``absorbed`` is the rule, which counts in pieces; ``could_be_absorbed`` tries every way there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from minicloud_core.scheduler.request import Request

if TYPE_CHECKING:
    from tests.unit.scheduler.reference import Machine

Size = tuple[Fraction, int]

CHUNKS = 4096


def exact(number: float) -> Fraction:
    return Fraction(str(number))


def power(number: int) -> int:
    """The least power of two that is as large."""
    found = 1
    while found < number:
        found *= 2
    return found


def n_plus_one(machine: Machine, request: Request) -> bool:
    return absorbed(machine.fleet, machine, request)


def sizes(machine: Machine) -> list[Size]:
    """What lies on a host: its VMs, and what else its figures say as if it were one more."""
    rest = (exact(machine.view.allocated_cpu), machine.view.allocated_ram_mib)
    return [rest, *((exact(vm.cpu), vm.ram_mib) for vm, _nodes in machine.vms)]


def room(machine: Machine) -> Size:
    if machine.view.state != "ready" or machine.view.cordoned:
        return Fraction(0), 0
    left = machine.room()
    return max(Fraction(0), left.cpu), max(0, left.ram)


def after(machines: Sequence[Machine], chosen: Machine, request: Request) -> list[tuple[Size, list[Size]]]:
    """Each host's room and what lies on it, once the VM is there."""
    size = exact(request.cpu), request.ram_mib
    found = []
    for machine in machines:
        (cpu, ram), lying = room(machine), sizes(machine)
        if machine is chosen:
            cpu, ram, lying = max(Fraction(0), cpu - size[0]), max(0, ram - size[1]), [*lying, size]
        found.append(((cpu, ram), lying))
    return found


def absorbed(machines: Sequence[Machine], chosen: Machine, request: Request) -> bool:
    cpu_unit = power(max(int(machine.cpu_limit) for machine in machines))
    ram_unit = power(max(machine.ram_limit for machine in machines))
    hosts = [
        (
            min(floor(cpu * CHUNKS / cpu_unit), floor(Fraction(ram) * CHUNKS / ram_unit)),
            [max(ceil(cpu * CHUNKS / cpu_unit), ceil(Fraction(ram) * CHUNKS / ram_unit)) for cpu, ram in lying],
        )
        for (cpu, ram), lying in after(machines, chosen, request)
    ]
    for failing, (_room, pieces) in enumerate(hosts):
        rooms = [free for number, (free, _pieces) in enumerate(hosts) if number != failing]
        for piece in sorted((power(piece) for piece in pieces if piece), reverse=True):
            if not put(rooms, piece):
                return False
    return True


def put(rooms: list[int], piece: int) -> bool:
    for number, free in enumerate(rooms):
        if free >= piece:
            rooms[number] -= piece
            return True
    return False


def could_be_absorbed(machines: Sequence[Machine], chosen: Machine, request: Request) -> bool:
    """By every choice of hosts for every VM: for small numbers alone."""
    hosts = after(machines, chosen, request)
    return all(
        fits([free for number, (free, _sizes) in enumerate(hosts) if number != failing], lying)
        for failing, (_free, lying) in enumerate(hosts)
    )


def fits(rooms: list[Size], lying: list[Size]) -> bool:
    lying = [size for size in lying if size != (0, 0)]
    if not lying:
        return True
    (cpu, ram), *rest = lying
    for number, (cpu_free, ram_free) in enumerate(rooms):
        if cpu_free >= cpu and ram_free >= ram:
            left = [*rooms[:number], (cpu_free - cpu, ram_free - ram), *rooms[number + 1 :]]
            if fits(left, rest):
                return True
    return False
