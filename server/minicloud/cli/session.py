"""What one invocation of the command knows: where the service is, who asks, and how answers are shown."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from minicloud.client import Client

# Wide enough that nothing is folded when a program reads.
_PIPE_WIDTH: Final = 10_000


class Output(StrEnum):
    """How answers are shown."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[
    Output | None,
    typer.Option("--output", "-o", help="table for people, json for programs.", show_default=False),
]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Return when it is done, showing how it goes.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=0, help="Seconds that --wait waits.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]


@dataclass
class Session:
    """One invocation.

    :param token: as given on the command line; empty looks in the environment and the state directory.
    """

    url: str
    token: str = ""
    project: str | None = None
    output: Output = Output.TABLE
    out: Console = field(default_factory=lambda: make_console(sys.stdout.isatty()))
    err: Console = field(default_factory=lambda: make_console(sys.stderr.isatty(), stderr=True))

    @cached_property
    def client(self) -> Client:
        return Client(self.url, self.token or find_token(), self.project)

    @property
    def json(self) -> bool:
        return self.output is Output.JSON


def session_of(ctx: typer.Context, output: Output | None = None) -> Session:
    """The invocation's session; ``--output`` after the command wins over the one before it."""
    session = ctx.ensure_object(Session)
    if output is not None:
        session.output = output
    return session


def find_token() -> str:
    """The token from the environment, or the one that `make demo` left in the state directory; empty if neither."""
    token = os.environ.get("MINICLOUD_TOKEN", "").strip()
    if token:
        return token
    named = os.environ.get("MINICLOUD_TOKEN_FILE", "")
    path = Path(named) if named else Path(os.environ.get("MINICLOUD_STATE_DIR", ".minicloud")) / "token"
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        if named:
            raise typer.BadParameter(
                f"{path}: {error.strerror}; it should hold a token", param_hint="MINICLOUD_TOKEN_FILE"
            ) from error
        return ""


def make_console(terminal: bool, *, stderr: bool = False) -> Console:
    """A console that folds lines for people only."""
    return Console(stderr=stderr, width=None if terminal else _PIPE_WIDTH, highlight=False, markup=False, emoji=False)
