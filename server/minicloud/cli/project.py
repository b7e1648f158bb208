"""`minicloud project`: whose VMs are whose."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from .render import Column, age_of, field_of, show_list, show_one
from .session import OutputOption, session_of

app = typer.Typer(no_args_is_help=True, help="Whose VMs are whose; for administrators.")

_COLUMNS: Final[list[Column]] = [("NAME", field_of("name")), ("AGE", age_of("created_at"))]
_FIELDS: Final[list[Column]] = [("name", field_of("name")), ("created", field_of("created_at"))]


@app.command()
def create(
    ctx: typer.Context, project: Annotated[str, typer.Argument(help="Its name.")], output: OutputOption = None
) -> None:
    """Make a project."""
    session = session_of(ctx, output)
    show_one(session, session.client.projects.create(project), _FIELDS)


@app.command("list")
def list_projects(ctx: typer.Context, output: OutputOption = None) -> None:
    """List projects."""
    session = session_of(ctx, output)
    show_list(session, session.client.projects.list(), _COLUMNS, nothing="no projects")
