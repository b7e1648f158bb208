"""The figures in docs/benchmarks.md, between two markers; what people wrote around them stays."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figures import Table

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def write(path: Path, tables: list[Table], command: str) -> None:
    """Replace what is between the markers.

    :raises ValueError: the file lacks them.
    """
    text = path.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _old, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} lacks the markers {BEGIN} and {END}")
    body = "\n\n".join([_circumstances(command), *(table.markdown() for table in tables)])
    path.write_text(f"{head}{BEGIN}\n\n{body}\n\n{END}{tail}", encoding="utf-8")


def _circumstances(command: str) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with `{command}` on one machine that carries the service, "
        f"the hosts and the guests: {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, "
        f"QEMU without KVM (TCG), Python {platform.python_version()}, SQLite."
    )
