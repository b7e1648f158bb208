"""Putting a context together from settings."""

from __future__ import annotations

from minicloud.store.store import open_store

from . import key_file
from .context import Clock, Context, Entropy, Hints, Settings, SystemClock, SystemEntropy
from .policy import DEFAULT, PolicySource


def open_context(
    settings: Settings,
    *,
    hints: Hints | None = None,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    policy: PolicySource = DEFAULT,
) -> Context:
    """Open the database, upgraded, and the key that signs URLs, made where there is none.

    Close it with ``context.store.close()``.

    :raises UnavailableError: when the database cannot be reached, or is newer than this program.
    """
    chance = entropy or SystemEntropy()
    store = open_store(settings.database_url)
    try:
        store.migrate()
        signing_key = key_file.load_or_make(settings.state_dir / "signing.key", chance)
    except BaseException:
        store.close()
        raise
    return Context(store, settings, signing_key, clock or SystemClock(), hints or Hints(), chance, policy)
