"""The first step: a state directory, keys, a database with the project ``default``, and a token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from minicloud_core.model.errors import ConflictError

from .refusal import RefusalError
from .services import certificate, project, token
from .services.context import SYSTEM, Context
from .services.opening import open_context
from .services.view.project import Quota
from .settings import Settings

DEFAULT_PROJECT = "default"


@dataclass(frozen=True)
class Initialisation:
    """What an initialisation did. ``secret`` is a new admin token; empty where none was made."""

    secret: str


def initialise(settings: Settings, *, new_token: bool = False) -> Initialisation:
    """Lay the foundation. Whatever is there already stays as it is.

    :param new_token: make a further admin token even where there is one.
    """
    _make_directories(settings)
    context = open_context(settings)
    try:
        certificate.initialise(context)
        _make_default_project(context)
        return Initialisation(_make_token(context, new_token))
    finally:
        context.store.close()


def check_initialised(settings: Settings) -> None:
    """
    :raises RefusalError: there is no foundation to work on.
    """
    if not (settings.pki_dir / "ca.pem").exists():
        raise RefusalError(
            f"{settings.state_dir} holds no minicloud yet",
            hint="run `minicloud init` first, or serve with --init",
            exit_code=3,
        )


def _make_directories(settings: Settings) -> None:
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for directory in (settings.images_dir, settings.runs_dir, settings.ssh_dir):
        directory.mkdir(mode=0o700, exist_ok=True)


def _make_default_project(context: Context) -> None:
    try:
        project.create(context, SYSTEM, DEFAULT_PROJECT, Quota())
    except ConflictError:
        return


def _make_token(context: Context, new_token: bool) -> str:
    try:
        return token.initialise(context).secret
    except ConflictError:
        if not new_token:
            return ""
    name = f"admin-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    return token.create(context, SYSTEM, name, "admin").secret
