"""Why a server-side command does not do what it was told."""

from __future__ import annotations


class RefusalError(Exception):
    """The command cannot go on, and nothing is broken: the person at the terminal can mend it.

    :param message: what stands in the way and where.
    :param hint: what would help.
    :param exit_code: what the command ends with; see ``cli.exit_code``.
    """

    def __init__(self, message: str, *, hint: str, exit_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
