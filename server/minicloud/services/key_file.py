"""Secret files: written whole, readable by the service alone."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .context import Entropy

KEY_BYTES = 32


def write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole, or not at all. Whoever reads meanwhile sees the old one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load_or_make(path: Path, entropy: Entropy) -> bytes:
    """The key that lies there; a new one where there is none."""
    if not path.exists():
        write(path, entropy.token(KEY_BYTES))
    return path.read_bytes()
