"""`minicloud op`: what is being done, and why."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from .progress import wait_for
from .render import Column, age_of, duration, field_of, parse_time, plain, show_list, show_one, state_of
from .session import OutputOption, TimeoutOption, session_of

app = typer.Typer(no_args_is_help=True, help="What is being done, and why.")

OperationArgument = Annotated[str, typer.Argument(metavar="OPERATION", help="Its id, op-….")]


def _took(operation: Any) -> str:
    started, finished = parse_time(operation.get("created_at")), parse_time(operation.get("finished_at"))
    return duration((finished - started).total_seconds()) if started and finished else ""


def _where(operation: Any) -> str:
    return " to ".join(plain(operation[key]) for key in ("host", "destination") if operation.get(key))


def _error(operation: Any) -> str:
    error = operation.get("error") or {}
    return f"{error.get('message', '')} ({error.get('code', '')})" if error else ""


def entry_text(data: Mapping[str, Any]) -> str:
    """One entry of an operation's log in one line: what Ansible printed, else what is known."""
    if data.get("stdout"):
        return str(data["stdout"]).strip().rstrip("* ")
    return " ".join(f"{key}={plain(value)}" for key, value in data.items() if value not in (None, "", [], {}))


def _reasons(operation: Any) -> str:
    return "\n".join(
        f"{plain(reason.get('rule'))}: {plain(reason.get('message'))}" for reason in operation.get("reasons") or ()
    )


_SUMMARY: Final[list[Column]] = [
    ("ID", field_of("id")),
    ("KIND", field_of("kind")),
    ("STATE", state_of("state")),
    ("VM", field_of("vm")),
    ("HOST", _where),
    ("TRIES", field_of("tries")),
    ("TOOK", _took),
    ("AGE", age_of("created_at")),
]
_FIELDS: Final[list[Column]] = [
    ("id", field_of("id")),
    ("kind", field_of("kind")),
    ("state", state_of("state")),
    ("vm", field_of("vm")),
    ("host", _where),
    ("after", lambda operation: ", ".join(operation.get("after") or ())),
    ("asked by", field_of("actor")),
    ("tries", field_of("tries")),
    ("run", field_of("run")),
    ("created", field_of("created_at")),
    ("started", field_of("started_at")),
    ("ended", field_of("finished_at")),
    ("error", _error),
    ("reasons", _reasons),
    ("by hand", field_of("command")),
]
_EVENTS: Final[list[Column]] = [
    ("AT", field_of("at")),
    ("KIND", field_of("kind")),
    ("WHAT", lambda event: entry_text(event.get("data") or {})),
]


@app.command("list")
def list_operations(
    ctx: typer.Context,
    *,
    vm: Annotated[str | None, typer.Option(help="Only those of this VM.", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="Only those on this host.", show_default=False)] = None,
    state: Annotated[str | None, typer.Option(help="Only those in this state.", show_default=False)] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind, vm.create.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    output: OutputOption = None,
) -> None:
    """List operations, the newest first."""
    session = session_of(ctx, output)
    operations = session.client.operations.list(vm=vm, host=host, state=state, kind=kind, most=limit)
    show_list(session, operations, _SUMMARY, nothing="no operations")


@app.command()
def show(ctx: typer.Context, operation: OperationArgument, output: OutputOption = None) -> None:
    """Show one operation with its reasons and the command that repeats it by hand."""
    session = session_of(ctx, output)
    show_one(session, session.client.operations.get(operation), _FIELDS)


@app.command()
def events(ctx: typer.Context, operation: OperationArgument, output: OutputOption = None) -> None:
    """List what happened in an operation so far."""
    session = session_of(ctx, output)
    show_list(session, session.client.operations.events(operation), _EVENTS, nothing="nothing yet")


@app.command()
def log(ctx: typer.Context, operation: OperationArgument) -> None:
    """Print what ansible-playbook printed."""
    text = session_of(ctx).client.operations.log(operation)
    sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")


@app.command()
def cancel(ctx: typer.Context, operation: OperationArgument, output: OutputOption = None) -> None:
    """Cancel an operation that has not ended."""
    session = session_of(ctx, output)
    show_one(session, session.client.operations.cancel(operation), _FIELDS)


@app.command()
def wait(
    ctx: typer.Context, operation: OperationArgument, timeout: TimeoutOption = 300, output: OutputOption = None
) -> None:
    """Wait until an operation has ended; the exit code says how."""
    session = session_of(ctx, output)
    show_one(session, wait_for(session, operation, f"wait for {operation}", timeout=timeout), _FIELDS)
