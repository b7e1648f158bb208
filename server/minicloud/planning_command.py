"""``minicloud rebalance``, ``drain``, ``evacuate`` and ``consolidate``: plans for a fleet in a file, no service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from minicloud.cli.session import OutputOption, session_of

FleetOption = Annotated[
    Path, typer.Option("--fleet", exists=True, dir_okay=False, help="Hosts and the VMs on them: JSON.")
]
PolicyOption = Annotated[str, typer.Option("--policy", help="A shipped policy's name, or a policy file.")]
PlanOption = Annotated[Path | None, typer.Option("--out", dir_okay=False, help="Write the plan there, as JSON.")]
HostOption = Annotated[str, typer.Option("--host", help="The host.")]

_EMPTYING: Final = {
    "drain": "Plan how all VMs leave a host that works. Changes nothing; ends with 6 when some have to stay.",
    "evacuate": "Plan where the VMs of a dead host start again. Changes nothing; ends with 6 when some find no host.",
}


def register(app: typer.Typer) -> None:
    """Add the planning commands."""
    app.command()(rebalance)
    for name, words in _EMPTYING.items():
        app.command(name, help=words)(emptying(name))
    app.command()(consolidate)


def rebalance(
    ctx: typer.Context,
    *,
    fleet: FleetOption,
    policy: PolicyOption = "balanced",
    out: PlanOption = None,
    min_gain: Annotated[
        float, typer.Option("--min-gain", min=0, help="What a move gains at least, in points of the score times hosts.")
    ] = 0.01,
    move_cost: Annotated[
        float, typer.Option("--move-cost", min=0, help="What moving a host's worth of memory has to gain beyond that.")
    ] = 0.1,
    at_most: Annotated[
        int | None, typer.Option("--at-most", min=0, help="Moves at most. [no limit]", show_default=False)
    ] = None,
    until: Annotated[float, typer.Option("--until", min=0, help="The score that is even enough.")] = 0.0,
    output: OutputOption = None,
) -> None:
    """Plan moves that make a fleet more even. Changes nothing."""
    from minicloud import planning  # noqa: PLC0415

    goal = planning.Goal(fleet, policy, out)
    planning.plan_rebalance(
        session_of(ctx, output), goal, min_gain=min_gain, move_cost=move_cost, at_most=at_most, until=until
    )


def emptying(name: str) -> Callable[..., None]:
    """The command that plans by a planner of that name how VMs leave one host."""

    def command(
        ctx: typer.Context,
        *,
        fleet: FleetOption,
        host: HostOption,
        policy: PolicyOption = "balanced",
        out: PlanOption = None,
        output: OutputOption = None,
    ) -> None:
        from minicloud import planning  # noqa: PLC0415

        goal = planning.Goal(fleet, policy, out)
        planning.plan_emptying(session_of(ctx, output), goal, host, planning.EMPTYING[name])

    return command


def consolidate(
    ctx: typer.Context,
    *,
    fleet: FleetOption,
    policy: PolicyOption = "energy",
    out: PlanOption = None,
    keep: Annotated[int, typer.Option("--keep", min=0, help="Hosts that stay on at least.")] = 1,
    headroom: Annotated[
        float, typer.Option("--headroom", min=0, max=0.99, help="The share of CPUs and memory that stays free.")
    ] = 0.2,
    min_watts: Annotated[float, typer.Option("--min-watts", min=0, help="What emptying a host saves at least.")] = 1.0,
    output: OutputOption = None,
) -> None:
    """Plan how to empty hosts so that they may sleep. Changes nothing."""
    from minicloud import planning  # noqa: PLC0415

    goal = planning.Goal(fleet, policy, out)
    planning.plan_consolidation(session_of(ctx, output), goal, keep=keep, headroom=headroom, min_watts=min_watts)
