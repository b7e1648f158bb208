# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is built once on a machine and used by every lab: the shared base, the package repository, the tiny guest.

Each entry is a directory that carries the key of what it was made from. It is built beside its place and renamed into
it, under one lock, so that nobody ever sees half an entry, whoever builds or dies at the same time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

_FILES = Path(__file__).parent.parent
_KEY_FILE = ".key"
_KEEP_SECONDS = 7 * 24 * 3600.0
_BUILD_SECONDS = 1800.0


@dataclass(frozen=True)
class Ingredients:
    """What the cache is made from; Debian packages by name."""

    suite: str
    base: tuple[str, ...]
    packages: tuple[str, ...]
    kernel: str


@dataclass(frozen=True)
class Contents:
    """Directories of a complete cache."""

    base: Path
    packages: Path
    images: Path
    built: tuple[str, ...]


def key_of(inputs: Iterable[str], files: Iterable[Path]) -> str:
    """A key that differs when any of the inputs, or any byte of the files (directories: all files in them), does."""
    digest = hashlib.sha256()
    for text in inputs:
        digest.update(text.encode() + b"\0")
    for path in files:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(str(file.relative_to(path.parent)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def fill(cache: Path, wanted: Ingredients, in_use: Iterable[str]) -> Contents:
    """Build what is missing; with everything there it takes milliseconds.

    :param in_use: entries that hosts of some lab still stand on; they are never pruned.
    :raises LabError: a build failed; with the last of what it said. What was there before is untouched.
    """
    base_key = key_of(["base", wanted.suite, *wanted.base], [_FILES / "build_base.sh"])
    packages_key = key_of(["packages", base_key, *wanted.packages], [_FILES / "build_packages.sh"])
    tiny_key = key_of(["tiny", wanted.kernel], [_FILES / "build_tiny_guest.sh", _FILES / "tiny_guest", Path(__file__)])
    base, packages, images = cache / f"base-{base_key}", cache / f"packages-{packages_key}", cache / "images"

    def build_base(target: Path) -> None:
        _script("build_base.sh", target, wanted.suite, ",".join(wanted.base))

    def build_packages(target: Path) -> None:
        _script("build_packages.sh", target, base, *wanted.packages)

    def build_tiny(target: Path) -> None:
        _script("build_tiny_guest.sh", target, wanted.kernel, _FILES / "tiny_guest")
        _describe_tiny(target)

    steps = [
        (base, base_key, build_base),
        (packages, packages_key, build_packages),
        (images / "tiny", tiny_key, build_tiny),
    ]
    with _locked(cache):
        missing = [step for step in steps if not _holds(step[0], step[1])]
        if missing:
            _sweep(cache)
            with _machine_apt(cache):
                for entry, key, build in missing:
                    _build(entry, key, build)
        for entry in (base, packages):
            os.utime(entry)
        _prune(cache, {str(base), str(packages), *in_use})
    return Contents(base, packages, images, tuple(step[0].name for step in missing))


def _holds(entry: Path, key: str) -> bool:
    try:
        return (entry / _KEY_FILE).read_text() == key
    except FileNotFoundError:
        return False


def _build(entry: Path, key: str, build: Callable[[Path], None]) -> None:
    draft = entry.with_name(f".{entry.name}.new")
    draft.mkdir(parents=True)
    build(draft)
    (draft / _KEY_FILE).write_text(key)
    if entry.exists():
        shutil.rmtree(entry)
    draft.rename(entry)


def _script(name: str, *arguments: str | Path) -> None:
    command = [str(_FILES / name), *(str(argument) for argument in arguments)]
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_BUILD_SECONDS,
    )
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace")[-3000:].strip()
        raise LabError(f"{name} failed with exit code {done.returncode}; it ended with:\n{said}")


@contextlib.contextmanager
def _machine_apt(cache: Path) -> Iterator[None]:
    """Let apt use the machine's sources, keys and proxies, but lists and an archive of its own.

    So nothing of the machine's changes, and nobody else's apt is in the way.
    """
    with tempfile.TemporaryDirectory(prefix=".apt-", dir=cache) as directory:
        apt = Path(directory)
        for part in ("lists/partial", "archives/partial"):
            (apt / part).mkdir(parents=True)
        configuration = apt / "apt.conf"
        configuration.write_text(
            f'Dir::State::lists "{apt}/lists";\nDir::Cache "{apt}";\nDir::Cache::archives "{apt}/archives";\n'
            'APT::Sandbox::User "root";\nAcquire::Retries "3";\n'
        )
        before = os.environ.get("APT_CONFIG")
        os.environ["APT_CONFIG"] = str(configuration)
        try:
            _script("update_lists.sh")
            yield
        finally:
            os.environ.pop("APT_CONFIG")
            if before is not None:
                os.environ["APT_CONFIG"] = before


@contextlib.contextmanager
def _locked(cache: Path) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep(cache: Path) -> None:
    """Remove what a build that was killed left behind; drafts have names that start with a dot."""
    for draft in [*cache.glob(".*"), *cache.glob("images/.*")]:
        shutil.rmtree(draft)


def _prune(cache: Path, kept: set[str]) -> None:
    """Remove entries that nothing uses and nobody asked for in a week."""
    limit = time.time() - _KEEP_SECONDS
    for entry in [*cache.glob("base-*"), *cache.glob("packages-*")]:
        if str(entry) not in kept and entry.stat().st_mtime < limit:
            shutil.rmtree(entry)


def _describe_tiny(target: Path) -> None:
    """Write image.json: what `minicloud image` needs to know to register the guest."""
    files = ("vmlinuz", "initrd.img")
    description = {
        "name": "tiny",
        "kind": "kernel",
        "architecture": "x86_64",
        "kernel": files[0],
        "initrd": files[1],
        "cmdline": "console=ttyS0 quiet",
        "min_ram_mib": 128,
        "sha256": {name: hashlib.sha256((target / name).read_bytes()).hexdigest() for name in files},
        "size": {name: (target / name).stat().st_size for name in files},
    }
    (target / "image.json").write_text(json.dumps(description, indent=2) + "\n")
