"""The command ``minicloud``: the client's nouns, and what runs on the service's own machine.

The service is imported only by the commands that need it, so that the client's start quickly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from minicloud.cli.app import app
from minicloud.cli.session import OutputOption, session_of
from minicloud.fleet_command import app as fleet_app
from minicloud.planning_command import register as register_planning
from minicloud.policy_command import app as policy_app

StateDirOption = Annotated[
    Path | None, typer.Option("--state-dir", help="Keys, images, runs and the SQLite database. [.minicloud]")
]
DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="SQLAlchemy URL. [SQLite in the state directory]")
]
TokenFileOption = Annotated[
    Path | None, typer.Option("--token-file", help="Write the token there, readable by you alone, not to the terminal.")
]


app.add_typer(policy_app, name="policy")
app.add_typer(fleet_app, name="fleet")
register_planning(app)


@app.command()
def init(
    ctx: typer.Context,
    *,
    state_dir: StateDirOption = None,
    database: DatabaseOption = None,
    token_file: TokenFileOption = None,
    new_token: Annotated[bool, typer.Option("--new-token", help="Make a further admin token.")] = False,
    output: OutputOption = None,
) -> None:
    """Prepare a state directory and make the first admin token.

    The token alone goes to standard output, once; only its hash is kept. A second init changes nothing.
    """
    from minicloud import command  # noqa: PLC0415

    given = {"state_dir": state_dir, "database": database}
    command.init(given, token_file, new_token=new_token, as_json=session_of(ctx, output).json)


@app.command()
def serve(
    *,
    state_dir: StateDirOption = None,
    database: DatabaseOption = None,
    listen: Annotated[
        list[str] | None,
        typer.Option("--listen", help="host:port; repeat it or use commas; port 0 is any free one. [127.0.0.1:8080]"),
    ] = None,
    advertise_url: Annotated[str | None, typer.Option("--advertise-url", help="How hosts reach this service.")] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", help="The scheduler's policy: a name or a file. [balanced]")
    ] = None,
    playbooks: Annotated[
        Path | None, typer.Option("--playbooks", help="The playbooks' folder. [the checkout's]")
    ] = None,
    run_slots: Annotated[int | None, typer.Option("--run-slots", help="Playbook runs at once. [cores but one]")] = None,
    lease_seconds: Annotated[float | None, typer.Option("--lease-seconds", help="How long a claim holds. [30]")] = None,
    observe_interval: Annotated[
        float | None, typer.Option("--observe-interval", help="Seconds between readings of a host. [5]")
    ] = None,
    reconcile_interval: Annotated[
        float | None, typer.Option("--reconcile-interval", help="Seconds between passes of the reconciler. [5]")
    ] = None,
    suspect_after: Annotated[
        float | None, typer.Option("--suspect-after", help="Seconds of silence before a host is suspected. [15]")
    ] = None,
    confirm_after: Annotated[
        float | None, typer.Option("--confirm-after", help="Seconds of suspicion before a host is fenced. [15]")
    ] = None,
    stop_grace: Annotated[
        float | None, typer.Option("--stop-grace", help="Seconds that a stop waits for runs under way. [10]")
    ] = None,
    log_level: Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error. [info]")] = None,
    log_format: Annotated[str | None, typer.Option("--log-format", help="console or json. [console]")] = None,
    init_first: Annotated[bool, typer.Option("--init", help="Do what `minicloud init` does first.")] = False,
    token_file: TokenFileOption = None,
) -> None:
    """Run the service in the foreground: API, runner, observer and controllers.

    Every option is also a variable: --run-slots is MINICLOUD_RUN_SLOTS. SIGTERM stops it in order.
    """
    given = {name: value for name, value in locals().items() if name not in ("init_first", "token_file")}
    from minicloud import command  # noqa: PLC0415

    command.serve(given, token_file, init_first=init_first)


@app.command()
def simulate(
    ctx: typer.Context,
    *,
    fleet: Annotated[
        Path, typer.Option("--fleet", exists=True, dir_okay=False, help="Hosts and the VMs on them: JSON.")
    ],
    requests: Annotated[
        Path, typer.Option("--requests", exists=True, dir_okay=False, help="Creates and deletes, a line of JSON each.")
    ],
    policy: Annotated[str, typer.Option("--policy", help="A shipped policy's name, or a policy file.")] = "balanced",
    out: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, help="Write each decision there, a line of JSON each.")
    ] = None,
    output: OutputOption = None,
) -> None:
    """Try a policy on files: play a trace of requests on a fleet. Needs no service, and changes nothing."""
    from minicloud import simulation_command  # noqa: PLC0415

    simulation_command.simulate(session_of(ctx, output), fleet, requests, policy, out)


def run() -> None:
    """The console script."""
    app()
