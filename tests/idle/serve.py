"""``minicloud serve`` with its eyes closed: nobody looks for hosts that are words, nobody puts right what they lack.

python -m tests.idle.serve serve --state-dir …
"""

from __future__ import annotations

from minicloud import daemon
from minicloud.controllers.service import Controllers
from minicloud.main import run
from minicloud.observer.service import Observer


class _Idle:
    """A part of the service that is there, and does nothing."""

    def start(self) -> None:
        return

    def stop(self, timeout: float) -> None:
        return

    @property
    def healthy(self) -> bool:
        return True


class IdleObserver(_Idle, Observer):
    """Sees nothing."""


class IdleControllers(_Idle, Controllers):
    """Puts nothing right."""


if __name__ == "__main__":
    daemon.Observer = IdleObserver  # type: ignore[misc]
    daemon.Controllers = IdleControllers  # type: ignore[misc]
    run()
