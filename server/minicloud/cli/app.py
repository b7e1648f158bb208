"""The command's root: options for every command, and the nouns."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from minicloud.client.errors import ClientError
from minicloud.client.transport import DEFAULT_URL

from . import event, host, image, operation, placement, project, reservation, vm
from . import token as token_commands
from .exit_code import exit_code_of
from .failure import show_failure
from .session import Output, Session


class RootGroup(TyperGroup):
    """Turns the client's errors into words and exit codes, once for all commands."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ClientError as error:
            show_failure(ctx.ensure_object(Session), error)
            raise typer.Exit(exit_code_of(error)) from error


app = typer.Typer(
    name="minicloud",
    cls=RootGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def main(
    ctx: typer.Context,
    *,
    url: Annotated[str, typer.Option(envvar="MINICLOUD_URL", help="Where the service listens.")] = DEFAULT_URL,
    token: Annotated[
        str,
        typer.Option(
            help="A token; without it MINICLOUD_TOKEN, the file MINICLOUD_TOKEN_FILE, or token in the state directory.",
            show_default=False,
        ),
    ] = "",
    project: Annotated[
        str | None,
        typer.Option(envvar="MINICLOUD_PROJECT", help="Whose VMs are meant; for administrators, others have one."),
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", envvar="MINICLOUD_OUTPUT", help="table for people, json for programs.")
    ] = Output.TABLE,
) -> None:
    """A small cloud on libvirt hosts.

    Answers go to standard output, everything else to standard error. Exit codes: 0 done, 1 unexpected, 2 wrong input,
    3 not found, 4 not allowed, 5 conflict, 6 no capacity, 7 service unreachable, 8 the operation failed, 9 --wait
    ran out of time.
    """
    ctx.obj = Session(url=url, token=token, project=project, output=output)


app.add_typer(vm.app, name="vm")
app.add_typer(host.app, name="host")
app.add_typer(operation.app, name="op")
app.add_typer(placement.app, name="placement")
app.add_typer(reservation.app, name="reservation")
app.add_typer(image.app, name="image")
app.add_typer(project.app, name="project")
app.add_typer(token_commands.app, name="token")
app.command("events")(event.follow)
