# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill the lab's cache from the command line; prints where its parts are, as JSON."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

from minicloud_lab import cache, places
from minicloud_lab.errors import LabError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="lab_cache.py", description="Build what all labs on this machine share.")
    top.add_argument("--cache", type=Path, required=True, help="directory of the cache")
    top.add_argument("--suite", help="release of Debian that the hosts run (default: this machine's)")
    top.add_argument("--base", nargs="+", required=True, help="packages of a bare host")
    top.add_argument("--packages", nargs="+", required=True, help="packages that hosts can install without a network")
    top.add_argument("--kernel", required=True, help="package of the tiny guest's kernel")
    return top


def main() -> int:
    """Run the command line; the exit code."""
    arguments = parser().parse_args()
    try:
        labs = [places.require(name) for name in places.names()]
        in_use = [entry for lab in labs for host in lab.hosts for entry in (host.base, host.packages)]
        wanted = cache.Ingredients(
            arguments.suite or platform.freedesktop_os_release().get("VERSION_CODENAME", "bookworm"),
            tuple(arguments.base),
            tuple(sorted(set(arguments.packages))),
            arguments.kernel,
        )
        contents = cache.fill(arguments.cache.absolute(), wanted, in_use)
    except LabError as failure:
        sys.stderr.write(f"lab cache: {failure}\n")
        return 1
    answer = {
        "changed": bool(contents.built),
        "built": contents.built,
        "base": str(contents.base),
        "packages": str(contents.packages),
        "images": str(contents.images),
    }
    sys.stdout.write(f"{json.dumps(answer)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
