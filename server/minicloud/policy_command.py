"""``minicloud policy``: what a policy says, whether a file is one, and what it would have done.

The last alone needs a service.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from minicloud.cli.exit_code import ExitCode
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
    from .terminal import give_up  # noqa: PLC0415

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
        give_up(error.message, error.hint, code=error.exit_code, cause=error)
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
    from .terminal import refusals_told  # noqa: PLC0415

    with refusals_told():
        found = find_policy(policy or Settings().policy)
    if session_of(ctx, output).json:
        print_json({"version": found.version, "policy": found.to_mapping()})
    else:
        typer.echo(to_yaml(found), nl=False)


@app.command()
def test(
    ctx: typer.Context,
    policy: Annotated[str, typer.Argument(help="A policy file, or a shipped policy's name.")],
    *,
    against: Annotated[
        str | None,
        typer.Option("--against", help="The policy that decided, where it does not ship.", show_default=False),
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", min=1, help="So many decisions, the latest. [all]", show_default=False)
    ] = None,
    output: OutputOption = None,
) -> None:
    """Make the service's recorded decisions again under another policy, and show what would have differed.

    Hosts are taken as they are now, VMs as they came and went. For administrators.
    """
    from minicloud_core.model.errors import InputError  # noqa: PLC0415

    from .policy_file import find_policy  # noqa: PLC0415
    from .policy_trial import try_policy  # noqa: PLC0415
    from .terminal import refusals_told  # noqa: PLC0415

    session = session_of(ctx, output)
    with refusals_told():
        other = find_policy(policy)
        deciding = None if against is None else find_policy(against)
    try:
        try_policy(session, other, against=deciding, last=last)
    except InputError as error:
        problems = "\n  ".join(f"{problem.field}: {problem.message}" for problem in error.problems)
        typer.echo(f"minicloud: the service tells what this command does not know\n  {problems}", err=True)
        raise typer.Exit(ExitCode.UNEXPECTED) from error
