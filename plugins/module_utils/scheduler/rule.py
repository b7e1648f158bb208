# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a rule of placement is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ..model.reason import Reason
from .board import Board
from .claim import Claim
from .fleet import Fleet
from .request import Request

if TYPE_CHECKING:
    from .arrays import Mask, Rows, Vector
    from .slots import SlotBook

Kept = TypeVar("Kept")


@dataclass(eq=False, slots=True)
class Ask:
    """A request, and the fleet that it is made of. To be read alone.

    :param board: the fleet by the policy's figures.
    :param slots: how many VMs of each recent shape still fit where.
    :param now: Unix seconds.
    :param claims: what VMs in the fleet claim of the request; see ``company``.
    :param constants: see :meth:`constant`.
    """

    fleet: Fleet
    board: Board
    slots: SlotBook
    request: Request
    now: float
    claims: tuple[Claim, ...] = ()
    constants: dict[object, Any] = field(default_factory=dict)
    _kept: dict[Callable[[Ask, Rows], Vector], tuple[Rows, Vector]] = field(default_factory=dict)

    def once(self, values: Callable[[Ask, Rows], Vector], rows: Rows) -> Vector:
        """What a scorer says of some rows: several may build on one, which is asked once."""
        kept = self._kept.get(values)
        if kept is None or kept[0] is not rows:
            kept = self._kept[values] = rows, values(self, rows)
        return kept[1]

    def constant(self, compute: Callable[[Ask], Kept]) -> Kept:
        """What a rule computes for requests of this kind once, from what stands whatever VMs come and go."""
        kept: Kept | None = self.constants.get(compute)
        if kept is None:
            kept = self.constants[compute] = compute(self)
        return kept


def always(_request: Request) -> bool:
    return True


def never(_ask: Ask) -> bool:
    return False


@dataclass(frozen=True)
class Filter:
    """A hard rule. A host's answer may depend on that host and the VMs there, and on what ``stamp`` tells.

    :param name: what policies and reasons call it.
    :param passes: for some rows, which of them will do.
    :param reason: why a row will not.
    :param concerns: whether it has anything to say about a request; it is not asked about others.
    :param standing: whether it says the same of a host whatever VMs come and go, so that it need not be asked again
        before a host's state is another, or time has passed.
    :param stamp: another value whenever its answer about a host may have changed because of other hosts: it then is
        asked about all of them anew. None for a rule that looks at no host but the one. One that is standing too is
        asked then alone.
    :param averted: whether it is asked after all, because of what others in the fleet say of the request, or the policy
        of hosts.
    """

    name: str
    passes: Callable[[Ask, Rows], Mask]
    reason: Callable[[Ask, int], Reason]
    concerns: Callable[[Request], bool] = always
    standing: bool = False
    stamp: Callable[[Ask], Hashable] | None = None
    averted: Callable[[Ask], bool] = never


@dataclass(frozen=True)
class Scorer:
    """A preference: for some rows 0, the worst host there could be, to 1, the best. What will not do, it may call
    anything.

    :param standing: as a filter's; ``stamp`` likewise.
    :param concerns: whether it has a preference for a request; where it has none, its weight does not count.
    """

    name: str
    values: Callable[[Ask, Rows], Vector]
    standing: bool = False
    concerns: Callable[[Request], bool] = always
    stamp: Callable[[Ask], Hashable] | None = None
