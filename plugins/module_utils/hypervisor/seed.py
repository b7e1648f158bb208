# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""NoCloud seeds: the ISO image from which cloud-init in the guest takes its orders."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from ..model.errors import HypervisorError
from ..model.order import SeedOrder

VOLUME_LABEL: Final = "cidata"
_MAKERS: Final = ("genisoimage", "xorrisofs", "mkisofs")
_TIMEOUT: Final = 30


def seed_files(seed: SeedOrder) -> dict[str, bytes]:
    """The seed's files by name. Texts are data: nothing in them is interpreted or changed, line ends included."""
    files = {"user-data": seed.user_data.encode(), "meta-data": seed.meta_data.encode()}
    if seed.network_config:
        files["network-config"] = seed.network_config.encode()
    return files


def seed_digest(seed: SeedOrder) -> str:
    """SHA-256 over the files, which tells one seed from another; the image itself carries the time it was made."""
    digest = hashlib.sha256()
    for name, content in sorted(seed_files(seed).items()):
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def make_seed(seed: SeedOrder) -> bytes:
    """The ISO image.

    :raises HypervisorError: when no program that makes one is installed, or it fails.
    """
    maker = next((found for name in _MAKERS if (found := shutil.which(name))), None)
    if maker is None:
        raise HypervisorError(
            "no program on this host makes ISO images, which cloud-init's seed needs",
            hint="install one of " + ", ".join(_MAKERS),
        )
    with tempfile.TemporaryDirectory(prefix="minicloud-seed-") as folder:
        content = Path(folder, "content")
        content.mkdir()
        for name, data in seed_files(seed).items():
            Path(content, name).write_bytes(data)
        image = Path(folder, "seed.iso")
        _run(
            [maker, "-quiet", "-output", str(image), "-volid", VOLUME_LABEL, "-joliet", "-rational-rock", str(content)]
        )
        return image.read_bytes()


def _run(command: list[str]) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_TIMEOUT, env={**os.environ, "LC_ALL": "C"}
        )
    except subprocess.CalledProcessError as error:
        raise HypervisorError(f"{command[0]} failed: {(error.stderr or error.stdout).strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HypervisorError(f"{command[0]} failed: {error}") from error
