"""The lab's tiny guest: from its cache where there is one, else built the way the lab builds it."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
_CACHE = Path("/var/cache/minicloud-lab/images/tiny")
_PACKAGE = "linux-image-cloud-amd64"


@dataclass(frozen=True)
class TinyGuest:
    """Boots in about two seconds under emulation, and prints a line a second to its serial console."""

    kernel: Path
    initrd: Path

    def image(self, name: str = "tiny") -> dict[str, Any]:
        """As an image that is fetched from these files."""
        return {
            "name": name,
            "kind": "kernel",
            "files": [_file("kernel", self.kernel), _file("initrd", self.initrd)],
            "cmdline": "console=ttyS0 quiet",
        }


def tiny_guest(folder: Path) -> TinyGuest:
    """Kernel and initrd, in ``folder`` when they have to be built."""
    source = _CACHE
    if not all((source / name).exists() for name in ("vmlinuz", "initrd.img")):
        _build(folder)
        source = folder
    return TinyGuest(source / "vmlinuz", source / "initrd.img")


def await_console(log: Path, text: str, *, times: int = 1, seconds: float = 60) -> str:
    """Wait until a guest has printed a text so many times, and return all that it printed."""
    return await_lines(log, lambda printed: printed.count(text) >= times, seconds=seconds)


def await_lines(log: Path, fits: Callable[[str], bool], *, seconds: float = 60) -> str:
    """Wait until what a guest has printed fits, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        printed = log.read_text(errors="replace") if log.exists() else ""
        if fits(printed):
            return printed
        assert time.monotonic() < deadline, f"not on the console within {seconds:g} s:\n{printed[-2000:]}"
        time.sleep(0.1)


def _build(folder: Path) -> None:
    files = REPOSITORY / "roles" / "lab" / "files"
    build = ["sh", str(files / "build_tiny_guest.sh"), str(folder), _PACKAGE, str(files / "tiny_guest")]
    done = subprocess.run(build, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"the tiny guest could not be built: {done.stderr}"


def _file(role: str, path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {
        "role": role,
        "name": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "url": path.as_uri(),
    }
