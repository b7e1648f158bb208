"""`minicloud token`: who may do what."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import typer

from .render import Column, age_of, field_of, show_list, show_one
from .session import OutputOption, session_of

app = typer.Typer(no_args_is_help=True, help="Who may do what; for administrators.")


class Role(StrEnum):
    """What a token may do."""

    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


_COLUMNS: Final[list[Column]] = [
    ("ID", field_of("id")),
    ("NAME", field_of("name")),
    ("ROLE", field_of("role")),
    ("PROJECT", field_of("project")),
    ("AGE", age_of("created_at")),
    ("EXPIRES", field_of("expires_at")),
    ("REVOKED", field_of("revoked_at")),
]
_FIELDS: Final[list[Column]] = [
    ("id", field_of("id")),
    ("name", field_of("name")),
    ("role", field_of("role")),
    ("project", field_of("project")),
    ("expires", field_of("expires_at")),
    ("token", field_of("token")),
]


@app.command()
def create(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Argument(help="Whose or what for; audit shows it.")],
    role: Annotated[
        Role, typer.Option(help="admin for everything, member for the VMs of a project, viewer to look at them.")
    ] = Role.MEMBER,
    project: Annotated[str | None, typer.Option(help="The member's or viewer's project.", show_default=False)] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it ends, in RFC 3339.", show_default=False)
    ] = None,
    output: OutputOption = None,
) -> None:
    """Make a token. It is shown this once: only its hash is stored."""
    session = session_of(ctx, output)
    show_one(session, session.client.tokens.create(name, role=role.value, project=project, expires_at=expires), _FIELDS)


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
