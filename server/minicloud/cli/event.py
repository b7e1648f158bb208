"""`minicloud events`: everything that changes, as it changes."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.text import Text

from minicloud.client import ServerEvent

from .progress import describe
from .render import plain
from .session import OutputOption, Session, session_of


def follow(
    ctx: typer.Context,
    *,
    vm: Annotated[str | None, typer.Option(help="Only those of this VM.", show_default=False)] = None,
    operation: Annotated[str | None, typer.Option(help="Only those of this operation.", show_default=False)] = None,
    after: Annotated[
        str | None, typer.Option(help="Resume after the event of this id; 0 for all that is kept.", show_default=False)
    ] = None,
    output: OutputOption = None,
) -> None:
    """Follow everything that changes, until interrupted; with --output json one object a line."""
    session = session_of(ctx, output)
    for event in session.client.events.follow(vm=vm, operation=operation, after=after):
        if event is not None:
            _show(session, event)


def _show(session: Session, event: ServerEvent) -> None:
    if session.json:
        print(json.dumps({"id": event.id, "event": event.kind, "data": dict(event.data)}), flush=True)
        return
    subject = " ".join(plain(event.data[key]) for key in ("vm", "operation") if event.data.get(key))
    moment = plain(event.data.get("at"))
    session.out.print(Text.assemble((moment, "dim"), " ", (subject, "bold"), " ", describe(event)))
