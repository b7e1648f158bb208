# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the machine, run to completion."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from .errors import LabError


def run(command: Sequence[str | Path], *, timeout: float = 60.0) -> str:
    """Run ``command`` and return its standard output.

    :param timeout: seconds after which it is killed.
    :raises LabError: it is not installed, failed or took too long; with the last of what it said.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout
        )
    except FileNotFoundError as missing:
        raise LabError(
            f"{words[0]} is not installed on this machine; playbooks/lab_up.yml installs what the lab needs"
        ) from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(f"`{' '.join(words)}` did not finish within {timeout:g} s") from late
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise LabError(f"`{' '.join(words)}` failed with exit code {done.returncode}: {said}")
    return done.stdout
