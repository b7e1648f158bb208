"""``minicloud policy``: what a policy says, and whether a file is one. Needs no service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from minicloud.cli.render import print_json
from minicloud.cli.session import OutputOption, session_of

from .refusal import RefusalError

app: Final = typer.Typer(no_args_is_help=True, help="Placement policies: shipped ones, and files.")


@app.command()
def check(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A policy file.")],
    *,
    output: OutputOption = None,
) -> None:
    """Say "ok NAME VERSION", or every mistake with its line and column and exit with 2."""
    from .policy_file import PolicyFileError, read_policy_file  # noqa: PLC0415

    as_json = session_of(ctx, output).json
    try:
        policy = read_policy_file(file)
    except PolicyFileError as error:
        if as_json:
            print_json({"ok": False, "mistakes": [mistake.to_mapping() for mistake in error.mistakes]})
        else:
            for mistake in error.mistakes:
                typer.echo(f"{file}:{mistake}")
        raise typer.Exit(error.exit_code) from error
    except RefusalError as error:
        raise _refused(error) from error
    if as_json:
        print_json({"ok": True, "name": policy.name, "version": policy.version})
    else:
        typer.echo(f"ok {policy.name} {policy.version}")


@app.command()
def show(
    ctx: typer.Context,
    policy: Annotated[
        str | None, typer.Argument(help="A shipped policy's name or a policy file. [MINICLOUD_POLICY, or balanced]")
    ] = None,
    *,
    output: OutputOption = None,
) -> None:
    """Print a policy as a file that says all of it by itself."""
    from .policy_file import find_policy, to_yaml  # noqa: PLC0415
    from .settings import Settings  # noqa: PLC0415

    try:
        found = find_policy(policy or Settings().policy)
    except RefusalError as error:
        raise _refused(error) from error
    if session_of(ctx, output).json:
        print_json({"version": found.version, "policy": found.to_mapping()})
    else:
        typer.echo(to_yaml(found), nl=False)


def _refused(error: RefusalError) -> typer.Exit:
    typer.echo(f"minicloud: {error.message}\n  {error.hint}", err=True)
    return typer.Exit(error.exit_code)
