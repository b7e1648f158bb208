"""A PostgreSQL of the tests' own: private folder, private socket, no port, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"


def find_binaries() -> Path:
    """The newest installed PostgreSQL's folder of programs.

    :raises RuntimeError: when there is none; the tests need one, so that is a failure and no reason to skip.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent


@contextmanager
def running_server() -> Iterator[str]:
    """Run a server; yields the SQLAlchemy URL of its empty database ``postgres``."""
    folder = Path(tempfile.mkdtemp(prefix="minicloud-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        data = folder / "data"
        # Nothing of this survives a crash, and need not.
        _run("initdb", "-D", data, "-U", USER, "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8")
        settings = ("listen_addresses=", f"unix_socket_directories={folder}", "max_connections=200")
        settings += ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB")
        options = [word for setting in settings for word in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [*_as_user(), str(find_binaries() / "postgres"), "-D", str(data), *options],
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            _await(server, folder)
            yield f"postgresql+psycopg://{USER}@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    finally:
        shutil.rmtree(folder)


def _as_user() -> list[str]:
    """PostgreSQL refuses to run as root. What is started does not outlive tests that are killed."""
    become = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", "--pdeathsig", "INT", *become]


def _run(program: str, *arguments: object) -> None:
    command = [*_as_user(), str(find_binaries() / program), *map(str, arguments)]
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)


def _await(server: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and server.poll() is None:
        ready = subprocess.run([str(find_binaries() / "pg_isready"), "-q", "-h", str(folder), "-U", USER], check=False)
        if ready.returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError("PostgreSQL did not start:\n" + (folder / "log").read_text())
