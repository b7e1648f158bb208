"""What the planning commands do, in a terminal's terms: files in, a plan and exit codes out."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.planner.aim import Aim
from minicloud_core.scheduler.planner.consolidation import consolidate
from minicloud_core.scheduler.planner.drain import drain
from minicloud_core.scheduler.planner.evacuation import evacuate
from minicloud_core.scheduler.planner.floor import Floor
from minicloud_core.scheduler.planner.plan import Plan, Stay
from minicloud_core.scheduler.planner.rebalance import rebalance
from minicloud_core.scheduler.policy import Policy

from .cli.exit_code import ExitCode
from .cli.render import Column, field_of, plain, print_json, show_list
from .cli.session import Session
from .policy_file import find_policy
from .refusal import RefusalError
from .simulation.fleet_file import load_fleet
from .terminal import refusals_told

# Planners that empty a host, by their commands' names.
EMPTYING: Final[Mapping[str, Callable[..., Plan]]] = {"drain": drain, "evacuate": evacuate}
# Hosts whose reasons a table tells of a VM that stays; the plan has all of them.
_HOSTS_TOLD: Final = 3


@dataclass(frozen=True)
class Goal:
    """What all planning commands are told.

    :param policy: a shipped policy's name, or a policy file.
    :param out: where the plan goes; None for nowhere.
    """

    fleet: Path
    policy: str
    out: Path | None


def plan_rebalance(
    session: Session, goal: Goal, *, min_gain: float, move_cost: float, at_most: int | None, until: float
) -> None:
    """Plan how to even out a fleet."""
    with _sense():
        aim = Aim(min_gain, move_cost, at_most, until)
    _plan(session, goal, lambda fleet, policy, now: rebalance(fleet, policy, now=now, aim=aim))


def plan_emptying(session: Session, goal: Goal, host: str, planner: Callable[..., Plan]) -> None:
    """Plan how VMs leave a host, dead or not.

    :raises typer.Exit: with 6, when some find no other.
    """
    plan = _plan(session, goal, lambda fleet, policy, now: planner(fleet, host, policy, now=now))
    if plan.stays:
        raise typer.Exit(ExitCode.NO_CAPACITY)


def plan_consolidation(session: Session, goal: Goal, *, keep: int, headroom: float, min_watts: float) -> None:
    """Plan which hosts may sleep."""
    with _sense():
        floor = Floor(keep, headroom, min_watts)
    _plan(session, goal, lambda fleet, policy, now: consolidate(fleet, policy, now=now, floor=floor))


@contextmanager
def _sense() -> Iterator[None]:
    """What an option makes no sense by, as for any other option."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _plan(session: Session, goal: Goal, planner: Callable[[Fleet, Policy, float], Plan]) -> Plan:
    with refusals_told():
        policy = find_policy(goal.policy)
        _check_out(goal)
        plan = planner(load_fleet(goal.fleet, policy), policy, time.time())
        if goal.out is not None:
            goal.out.write_text(json.dumps(plan.to_mapping(), indent=1) + "\n", encoding="utf-8")
    if session.json:
        print_json(plan.to_mapping())
    else:
        _show(session, plan)
    return plan


def _check_out(goal: Goal) -> None:
    read = (goal.fleet, Path(goal.policy))
    if goal.out is not None and goal.out.exists() and any(path.exists() and goal.out.samefile(path) for path in read):
        raise RefusalError(f"--out {goal.out} is read as well", hint="write to another file", exit_code=ExitCode.INPUT)


def _show(session: Session, plan: Plan) -> None:
    figures = [{"name": name, "before": plan.before[name], "after": plan.after[name]} for name in plan.before]
    moves = [{"number": number, **move.to_mapping()} for number, move in enumerate(plan.moves, start=1)]
    stays = [{"vm": stay.vm, "host": stay.host, "why": _why(stay)} for stay in plan.stays]
    show_list(session, figures, _FIGURES, nothing="")
    for rows, columns in ((moves, _MOVES), (stays, _STAYS)):
        if rows:
            session.out.print()
            show_list(session, rows, columns, nothing="")
    if not plan.moves:
        session.out.print()
        session.out.print("Nothing to move.")


def _why(stay: Stay) -> str:
    """In a line why a VM stays: its own reason, or each rule with the hosts that it refuses."""
    if stay.reason is not None:
        return stay.reason.message
    if not stay.refused:
        return "there is no other host"
    words = [
        f"{refusal.host}: {', '.join(reason.message for reason in refusal.reasons)}"
        for refusal in stay.refused[:_HOSTS_TOLD]
    ]
    others = Counter(reason.rule for refusal in stay.refused[_HOSTS_TOLD:] for reason in refusal.reasons)
    count = len(stay.refused) - _HOSTS_TOLD
    if others:
        rules = ", ".join(f"{rule} on {hosts}" for rule, hosts in sorted(others.items()))
        words.append(f"{count} more host{'' if count == 1 else 's'}: {rules}")
    return "; ".join(words)


def _figure(key: str) -> Callable[[Mapping[str, Any]], str]:
    def show(row: Mapping[str, Any]) -> str:
        value = row[key]
        return f"{value:.4g}" if isinstance(value, float) else plain(value)

    return show


_FIGURES: Final[list[Column]] = [("", field_of("name")), ("BEFORE", _figure("before")), ("AFTER", _figure("after"))]
_MOVES: Final[list[Column]] = [
    ("MOVE", field_of("number")),
    ("VM", field_of("vm")),
    ("FROM", field_of("from")),
    ("TO", field_of("to")),
]
_STAYS: Final[list[Column]] = [("STAYS", field_of("vm")), ("ON", field_of("host")), ("WHY", field_of("why"))]
