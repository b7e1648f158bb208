"""What a command on the service's own machine, or one without a service, tells the terminal when it cannot go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from minicloud_core.model.errors import InputError, MinicloudError

from .cli.exit_code import ExitCode
from .refusal import RefusalError


@contextmanager
def refusals_told() -> Iterator[None]:
    """What stands in the way, in words and an exit code instead of a stack trace.

    :raises typer.Exit: with the code of a refusal, with 2 for wrong input, with 1 for what else goes wrong.
    """
    try:
        yield
    except RefusalError as error:
        give_up(error.message, error.hint, code=error.exit_code, cause=error)
    except InputError as error:
        first, *others = (
            f"{problem.field}: {problem.message}" + (f" (right: {problem.allowed})" if problem.allowed else "")
            for problem in error.problems
        )
        give_up(first, *others, code=ExitCode.INPUT, cause=error)
    except MinicloudError as error:
        give_up(error.message, error.hint, code=ExitCode.UNEXPECTED, cause=error)
    except OSError as error:
        give_up(f"{error.filename or ''}: {error.strerror}", code=ExitCode.UNEXPECTED, cause=error)


def give_up(message: str, *details: str, code: int, cause: Exception) -> NoReturn:
    """End the command with a message, and what is worth adding on lines of its own."""
    typer.echo("\n  ".join([f"minicloud: {message}", *filter(None, details)]), err=True)
    raise typer.Exit(code) from cause
