"""What ``minicloud init`` and ``minicloud serve`` do, in a terminal's terms: flags in, words and exit codes out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from . import daemon, log
from .initialisation import initialise
from .settings import Settings
from .terminal import refusals_told


def init(given: Mapping[str, Any], token_file: Path | None, *, new_token: bool, as_json: bool) -> None:
    """Prepare the state directory, and tell what came of it.

    :param given: settings named on the command line; None for those that were not.
    :param token_file: where the token goes; None for standard output.
    :param as_json: tell it to a program.
    """
    with refusals_told():
        settings = read_settings(given)
        log.configure(settings.log_level, settings.log_format)
        secret = initialise(settings, new_token=new_token).secret
        if secret and token_file is not None:
            write_private(token_file, secret)
    _tell(settings, secret, token_file, as_json=as_json)


def serve(given: Mapping[str, Any], token_file: Path | None, *, init_first: bool) -> None:
    """Run the service until it is told to stop."""
    if init_first:
        init(given, token_file, new_token=False, as_json=False)
    with refusals_told():
        daemon.serve(read_settings(given))


def read_settings(given: Mapping[str, Any]) -> Settings:
    """Settings from flags, then the environment, then the defaults.

    :raises typer.BadParameter: naming the flag or variable that makes no sense.
    """
    flags = {name: value for name, value in given.items() if value not in (None, [])}
    if "listen" in flags:
        flags["listen"] = ",".join(flags["listen"])
    try:
        return Settings(**flags)
    except ValidationError as error:
        found = error.errors()[0]
        name = str(found["loc"][0])
        flag = f"--{name.replace('_', '-')} or MINICLOUD_{name.upper()}"
        raise typer.BadParameter(found["msg"].removeprefix("Value error, "), param_hint=flag) from error


def write_private(path: Path, secret: str) -> None:
    """Write a file that only its owner can read, from its first byte on, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{secret}\n")
    draft.replace(path)


def _tell(settings: Settings, secret: str, token_file: Path | None, *, as_json: bool) -> None:
    """The token alone goes to standard output, so that ``token=$(minicloud init)`` has it and nothing else."""
    place = settings.state_dir
    if not secret:
        _say(f"{place} is initialised already; `minicloud init --new-token` makes a further admin token.")
    elif token_file is not None:
        _say(f"{place} is initialised. The admin token is in {token_file}; the service keeps only its hash.")
    else:
        _say(f"{place} is initialised. This is the admin token; only its hash is kept, so note it down now:")
    shown = secret if token_file is None else ""
    if as_json:
        file = str(token_file) if secret and token_file else None
        answer = {"state_dir": str(place), "created": bool(secret), "token": shown or None, "token_file": file}
        typer.echo(json.dumps(answer))
    elif shown:
        typer.echo(shown)


def _say(text: str) -> None:
    typer.echo(text, err=True)
