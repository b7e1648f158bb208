"""``minicloud fleet``: the service's fleet as a file, for people who want to try something on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from minicloud.cli.exit_code import ExitCode
from minicloud.cli.session import Session, session_of

app: Final = typer.Typer(no_args_is_help=True, help="The fleet as a file.")


@app.callback()
def fleet() -> None:
    """The fleet as a file, for minicloud simulate, rebalance, drain and the like."""


@app.command()
def export(
    ctx: typer.Context,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, help="Write it there, not to standard output.")
    ] = None,
) -> None:
    """Write the fleet as it is now: its hosts, and the VMs on them. For administrators."""
    text = json.dumps(fleet_document(session_of(ctx)), indent=1) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        typer.echo(f"minicloud: {out} cannot be written: {error.strerror}", err=True)
        raise typer.Exit(ExitCode.UNEXPECTED) from error


def fleet_document(session: Session) -> dict[str, Any]:
    """The service's fleet as a fleet file says it. VMs and reservations first, so that none is on a host that is not
    among the hosts.

    :raises typer.Exit: when the token is not an administrator's.
    """
    from .simulation.live_fleet import live_fleet  # noqa: PLC0415

    vms, held = list(session.client.vms.list()), list(session.client.reservations.list(state="held"))
    hosts = list(session.client.hosts.list())
    if any("cpu" not in host for host in hosts):
        message = "this token may not see what hosts have, as an administrator's may"
        typer.echo(f"minicloud: {message}\n  minicloud init --new-token makes one", err=True)
        raise typer.Exit(ExitCode.AUTH)
    return live_fleet(hosts, vms, held)
