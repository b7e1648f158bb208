"""`minicloud token`: who may do what."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from .render import Column, age_of, field_of, show_list, show_one
from .session import OutputOption, session_of

app = typer.Typer(no_args_is_help=True, help="Who may do what; for administrators.")

_COLUMNS: Final[list[Column]] = [
    ("ID", field_of("id")),
    ("NAME", field_of("name")),
    ("ROLE", field_of("role")),
    ("PROJECT", field_of("project")),
    ("AGE", age_of("created_at")),
]
_FIELDS: Final[list[Column]] = [
    ("id", field_of("id")),
    ("name", field_of("name")),
    ("role", field_of("role")),
    ("project", field_of("project")),
    ("token", field_of("token")),
]


@app.command()
def create(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Argument(help="Whose or what for; audit shows it.")],
    role: Annotated[str, typer.Option(help="admin for everything, member for the VMs of one project.")] = "member",
    project: Annotated[str | None, typer.Option(help="The member's project.", show_default=False)] = None,
    output: OutputOption = None,
) -> None:
    """Make a token. It is shown this once: only its hash is stored."""
    session = session_of(ctx, output)
    show_one(session, session.client.tokens.create(name, role=role, project=project), _FIELDS)


@app.command("list")
def list_tokens(ctx: typer.Context, output: OutputOption = None) -> None:
    """List tokens, without their secrets."""
    session = session_of(ctx, output)
    show_list(session, session.client.tokens.list(), _COLUMNS, nothing="no tokens")


@app.command()
def revoke(ctx: typer.Context, token: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Make a token worthless at once."""
    session = session_of(ctx)
    session.client.tokens.revoke(token)
    session.err.print(f"{token} is revoked")
