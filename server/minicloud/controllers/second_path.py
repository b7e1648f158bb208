"""The second path to a host: does its SSH server say a word?"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

_WORKERS = 16


@dataclass(frozen=True)
class SshAddress:
    """Where a host's SSH server listens."""

    host: str
    address: str
    port: int


def answers(place: SshAddress, timeout: float) -> bool:
    """Whether an SSH server greets there within ``timeout`` seconds.

    A connection alone proves little: the kernel of a host whose programs hang still takes it.
    """
    try:
        with socket.create_connection((place.address, place.port), timeout) as connection:
            connection.settimeout(timeout)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def ask(places: Iterable[SshAddress], *, timeout: float) -> Mapping[str, bool]:
    """Ask hosts at once.

    :returns: by the host's name, whether it answers.
    """
    asked = list(places)
    if not asked:
        return {}
    with ThreadPoolExecutor(min(_WORKERS, len(asked)), thread_name_prefix="second-path") as pool:
        heard = pool.map(lambda place: answers(place, timeout), asked)
        return dict(zip((place.host for place in asked), heard, strict=True))
