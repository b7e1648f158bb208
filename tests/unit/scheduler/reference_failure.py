"""The rule that any one host may fail, in the plainest words: each fails, and its VMs are put on the others one by one.

See ``reference``. ``absorbed`` is the rule, which counts in pieces; ``could_be_absorbed`` tries every way there is.
``no_worse`` is the rule for a VM that moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from minicloud_core.scheduler.request import Request

if TYPE_CHECKING:
    from tests.unit.scheduler.reference import Machine, Room

CHUNKS = 4096
# By the host that fails and the size of pieces.
Shortages = dict[tuple[str, int], int]


def exact(number: float) -> Fraction:
    return Fraction(str(number))


def power(number: int) -> int:
    """The least power of two that is as large."""
    found = 1
    while found < number:
        found *= 2
    return found


def n_plus_one(machine: Machine, request: Request) -> bool:
    if request.source is None:
        return absorbed(machine.fleet, machine, request)
    source = next(one for one in machine.fleet if one.view.id == request.source)
    return no_worse(shortages(machine.fleet, machine, request), shortages(machine.fleet, source, request))


def no_worse(after: Shortages, before: Shortages) -> bool:
    return all(lacking <= before[which] for which, lacking in after.items())


def thread(machines: Sequence[Machine]) -> Fraction:
    """What a pinned virtual CPU displaces, wherever it goes."""
    return max([Fraction(1), *(machine.overcommit for machine in machines)])


def lying(machine: Machine, machines: Sequence[Machine]) -> list[Request]:
    """What lies on a host: its VMs, and what else its figures say as if it were one more."""
    view = machine.view
    pinned = exact(view.allocated_pinned_cpu)
    cpu = exact(view.allocated_cpu) - pinned + ceil(pinned * thread(machines))
    rest = Request(float(cpu), view.allocated_ram_mib - view.allocated_huge_pages_mib)
    return [rest, *(vm for vm, _nodes in machine.vms)]


def takes_vms(machine: Machine) -> bool:
    return machine.view.state == "ready" and not machine.view.cordoned


@dataclass(frozen=True)
class Chunks:
    """Rooms and pieces of hosts with a request on one of them."""

    machines: Sequence[Machine]
    chosen: Machine
    request: Request

    def of(self, cpu: Fraction, ram: int) -> tuple[Fraction, Fraction]:
        cpu_unit = power(max(int(machine.cpu_limit) for machine in self.machines))
        ram_unit = power(max(machine.ram_limit for machine in self.machines))
        return cpu * CHUNKS / cpu_unit, Fraction(ram) * CHUNKS / ram_unit

    def piece(self, vm: Request) -> int:
        cpu = Fraction(ceil(exact(vm.cpu) * thread(self.machines))) if vm.pinned else exact(vm.cpu)
        size = ceil(max(self.of(cpu, 0 if vm.huge_pages else vm.ram_mib)))
        return power(size) if size else 0

    def room(self, machine: Machine) -> int:
        left = machine.room().less(self.request, ()) if machine is self.chosen else machine.room()
        return max(0, floor(min(self.of(left.cpu, left.ram)))) if takes_vms(machine) else 0

    def rooms(self, failing: Machine) -> list[int]:
        return [self.room(machine) for machine in self.machines if machine is not failing]

    def pieces(self, failing: Machine) -> list[int]:
        vms = [*lying(failing, self.machines), *([self.request] if failing is self.chosen else [])]
        return sorted((piece for vm in vms if (piece := self.piece(vm))), reverse=True)


def absorbed(machines: Sequence[Machine], chosen: Machine, request: Request) -> bool:
    chunks = Chunks(machines, chosen, request)
    for failing in machines:
        rooms = chunks.rooms(failing)
        if not all(put(rooms, piece) for piece in chunks.pieces(failing)):
            return False
    return True


def shortages(machines: Sequence[Machine], chosen: Machine, request: Request) -> Shortages:
    """For each host that fails and each size, how much of the pieces of that size and above finds no room."""
    chunks = Chunks(machines, chosen, request)
    found = {}
    for failing in machines:
        rooms, pieces = chunks.rooms(failing), chunks.pieces(failing)
        for size in (2**number for number in range(14)):
            wanted = sum(piece for piece in pieces if piece >= size)
            found[failing.view.id, size] = max(0, wanted - sum(room // size * size for room in rooms))
    return found


def put(rooms: list[int], piece: int) -> bool:
    for number, free in enumerate(rooms):
        if free >= piece:
            rooms[number] -= piece
            return True
    return False


def could_be_absorbed(machines: Sequence[Machine], chosen: Machine, request: Request) -> bool:
    """By every choice of hosts for every VM: for small numbers alone. Huge pages are not looked at, as by the rule."""
    for failing in machines:
        others = [machine for machine in machines if machine is not failing and takes_vms(machine)]
        rooms = [machine.room().less(request, ()) if machine is chosen else machine.room() for machine in others]
        if not fits(rooms, [*lying(failing, machines), *([request] if failing is chosen else [])]):
            return False
    return True


def fits(rooms: list[Room], vms: list[Request]) -> bool:
    if not vms:
        return True
    vm, *rest = vms
    size = replace(vm, ram_mib=0, huge_pages=False) if vm.huge_pages else vm
    if not size.cpu and not size.ram_mib:
        return fits(rooms, rest)
    for number, room in enumerate(rooms):
        if room.takes(size) and fits([*rooms[:number], room.less(size, ()), *rooms[number + 1 :]], rest):
            return True
    return False
