# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the scheduler decided, and why, host by host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Final

from ..model.errors import NoCapacityError
from ..model.units import MIB, format_cpu, format_mib
from .account import Account, Candidate, Part, Refusal
from .obstacle import Obstacle
from .preemption import Victim
from .record import unpack
from .remedy import Remedy
from .request import Request

__all__ = ["HOSTS_SHOWN", "Candidate", "Decision", "Part", "Refusal"]

# Hosts that a mapping tells of one by one, of those that would do and of those that would not. The rest is counted: on
# ten thousand hosts a decision would be megabytes, and be kept with every VM.
HOSTS_SHOWN: Final = 100
# Refusals that an error's message tells one by one, before it tells rules.
_HOSTS_IN_WORDS: Final = 10


@dataclass(frozen=True, eq=False)
class Decision:
    """The answer to one request.

    What the rules said of each host is put into words when it is first read. It is what they said at the time, also
    when the fleet has changed since: then it is worked out again from the fleet as it was, which takes longer. Whoever
    keeps many decisions does well to read them before the fleet changes.

    :param host: the host chosen; None when none will do.
    :param score: that host's score, 0 to 1; None without one.
    :param policy: the name of the policy that decided.
    :param policy_version: which of its versions; see ``Policy.version``.
    :param at: the time it was given, in Unix seconds.
    :param recall: gives what was said, as of the decision.
    :param preempts: VMs that have to leave the host first. Until they have, it refuses, as ``refused`` says.
    """

    request: Request
    host: str | None
    score: float | None
    policy: str
    policy_version: str
    at: float
    recall: Callable[[], Account] = field(repr=False)
    preempts: tuple[Victim, ...] = ()

    @cached_property
    def accepted(self) -> tuple[Candidate, ...]:
        """Hosts that would do, best first: the first is the one chosen."""
        return self.recall().accepted()

    @cached_property
    def refused(self) -> tuple[Refusal, ...]:
        """The others, by name."""
        return self.recall().refused()

    @cached_property
    def remedies(self) -> tuple[Remedy, ...]:
        """Where ``host`` is None, changes of which each would have made it fit."""
        return () if self.host is not None else self.recall().remedies()

    @cached_property
    def told(self) -> Told:
        """What people and programs are told: of few hosts everything, of many what matters."""
        account = self.recall()
        return Told(
            account.accepts,
            account.refuses,
            account.accepted(HOSTS_SHOWN),
            account.refused(HOSTS_SHOWN),
            account.obstacles(),
            self.remedies,
        )

    def to_mapping(self) -> dict[str, Any]:
        """The decision as JSON, as it is kept with the VM and shown by the API.

        Of those that would do and of those that would not, ``HOSTS_SHOWN`` each are told one by one: the best, and
        those whom the fewest rules refuse. ``hosts`` counts all, and ``obstacles`` by rule.
        """
        return unpack(self.record)

    @cached_property
    def record(self) -> dict[str, Any]:
        """The same, as it is kept: see ``record.unpack``."""
        account = self.recall()
        return {
            "host": self.host,
            "policy": self.policy,
            "policy_version": self.policy_version,
            "at": self.at,
            "preempts": [victim.to_mapping() for victim in self.preempts],
            "request": request_mapping(self.request),
            "hosts": {"accepted": account.accepts, "refused": account.refuses},
            "accepted": account.columns(HOSTS_SHOWN),
            "refused": [refusal.to_mapping() for refusal in account.refused(HOSTS_SHOWN)],
            "obstacles": [obstacle.to_mapping() for obstacle in account.obstacles()],
            "remedies": [remedy.to_mapping() for remedy in self.remedies],
        }

    def put_down(self) -> Decision:
        """The same, with all read that it is asked for: to be called while the fleet is as it was decided by."""
        _record, _told = self.record, self.told if self.host is None else None
        return self

    def about(self, request: Request) -> Decision:
        """The same about a request to which every rule says the same, with whatever was read of this one."""
        twin = replace(self, request=request)
        read: dict[str, Any] = {name: vars(self)[name] for name in ("remedies", "told") if name in vars(self)}
        if "record" in vars(self):
            read["record"] = {**self.record, "request": request_mapping(request)}
        vars(twin).update(read)
        return twin

    def no_capacity(self) -> NoCapacityError:
        """The error that says, for each host, why it refused. For a decision without a host."""
        asked, told = _describe(self.request), self.told
        if not told.refuses:
            return NoCapacityError(
                f"No host can take {asked}: no host is registered",
                hint="register one, with playbooks/onboard_host.yml for instance",
                details={"hosts": {}},
            )
        return NoCapacityError(
            f"No host can take {asked}: {told.words()}",
            hint=self._hint(),
            details={
                "hosts": {refusal.host: refusal.to_mapping()["reasons"] for refusal in told.refused},
                "obstacles": [obstacle.to_mapping() for obstacle in told.obstacles],
                "remedies": [remedy.to_mapping() for remedy in told.remedies],
            },
        )

    def _hint(self) -> str:
        wanted, told = self.request.host, self.told
        requested = sum(obstacle.hosts for obstacle in told.obstacles if obstacle.rule == "requested")
        if wanted is not None and requested == told.refuses:
            some = ", ".join(refusal.host for refusal in told.refused)
            return f"there is no host {wanted}; there are {some}{', …' if told.refuses > len(told.refused) else ''}"
        if told.remedies:
            return "it would fit: " + "; or ".join(f"{one.text} (on {one.host})" for one in told.remedies)
        return "ask for less, or make room: uncordon or add a host"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Decision):
            return NotImplemented
        return self._facts == other._facts

    __hash__ = None  # type: ignore[assignment]

    @property
    def _facts(self) -> tuple[object, ...]:
        """All that is said, not who says it."""
        said = self.accepted, self.refused, self.remedies, self.preempts
        return self.request, self.host, self.score, self.policy, self.policy_version, self.at, said


@dataclass(frozen=True)
class Told:
    """A decision's reasons, so many of them as anybody would read.

    :param accepts: how many hosts would do; ``refuses``: how many would not.
    :param obstacles: the rules that refused, counted over all hosts.
    """

    accepts: int
    refuses: int
    accepted: tuple[Candidate, ...]
    refused: tuple[Refusal, ...]
    obstacles: tuple[Obstacle, ...]
    remedies: tuple[Remedy, ...]

    def words(self) -> str:
        """Why hosts refused: each by itself, or, of many, each rule."""
        if self.refuses <= _HOSTS_IN_WORDS:
            told = [(refusal.host, [reason.message for reason in refusal.reasons]) for refusal in self.refused]
            return "; ".join(f"{host}: " + ", ".join(messages) for host, messages in told)
        return "; ".join(
            f"{obstacle.rule} refuses {obstacle.hosts} of {self.refuses} hosts ({obstacle.message})"
            for obstacle in self.obstacles
        )


_ALWAYS_SHOWN: Final = frozenset({"cpu", "ram_mib", "disk_bytes", "host", "labels", "exclude"})


def request_mapping(request: Request) -> dict[str, Any]:
    """What was asked for, as JSON: every field that says something."""
    said = ((name, getattr(request, name), default) for name, default in _DEFAULTS)
    return {name: _plain(value) for name, value, default in said if name in _ALWAYS_SHOWN or value != default}


def _default(one: Any) -> object:
    return one.default if one.default_factory is MISSING else one.default_factory()


# What each field of a request says where nobody said anything.
_DEFAULTS: Final = tuple((one.name, _default(one)) for one in fields(Request))


def _plain(value: Any) -> Any:
    """A value of a request in JSON's terms; what has no order is put into one."""
    if isinstance(value, Mapping):
        return dict(sorted(value.items()))
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [one if isinstance(one, str) else one.to_mapping() for one in value]
    return value


def _describe(request: Request) -> str:
    text = f"{format_cpu(request.cpu)} virtual CPU{'' if request.cpu == 1 else 's'} and {format_mib(request.ram_mib)}"
    return f"{text}, {format_mib(-(-request.disk_bytes // MIB))} of disk" if request.disk_bytes else text
