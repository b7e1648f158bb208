# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Sizes and counts as people write them."""

from __future__ import annotations

import math
import re

from .errors import InputError, Problem

MIB = 1024**2
GIB = 1024**3
# Guests are given huge pages of this size alone, so that they may move between hosts.
HUGE_PAGE_KIB = 2048

_FACTORS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "P": 1024**5}
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:I?B)?\s*$", re.IGNORECASE)


def parse_bytes(value: int | float | str, *, field: str, unit: int = 1) -> int:
    """Read a size.

    :param value: ``"4G"``, ``"512MiB"`` or a bare number counted in ``unit``. Suffixes are binary: ``G`` is ``GiB``.
    :param field: the field's name, for the error.
    :param unit: bytes that a bare number stands for.
    :returns: bytes, a whole number; a fraction of a byte is cut.
    :raises InputError: when the text is no size or is negative.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise InputError([Problem(field, f"{value!r} is not a size", 'a number or text such as "4G"')])
    try:
        return _read_text(value, field, unit) if isinstance(value, str) else _read_number(value, field, unit)
    except OverflowError:
        raise InputError([Problem(field, "a number beyond all sizes", 'a number or text such as "4G"')]) from None


def _read_number(value: int | float, field: str, unit: int) -> int:
    if value < 0 or not math.isfinite(value):
        raise InputError([Problem(field, f"{value} is not a size", 'a positive number or text such as "4G"')])
    return int(value * unit)


def _read_text(value: str, field: str, unit: int) -> int:
    match = _SIZE.match(value)
    if match is None:
        raise InputError([Problem(field, f"{value!r} is not a size", 'a positive number or text such as "4G"')])
    number, suffix = match.groups()
    factor = _FACTORS[suffix.upper()] if suffix else unit
    return int(float(number) * factor)


def parse_mib(value: int | float | str, *, field: str) -> int:
    """Read a memory size; a bare number counts MiB.

    :returns: MiB.
    :raises InputError: when the text is no size or is not a whole number of MiB.
    """
    size = parse_bytes(value, field=field, unit=MIB)
    if size % MIB:
        raise InputError([Problem(field, f"{value!r} is not a whole number of MiB", 'text such as "512M" or "4G"')])
    return size // MIB


def format_mib(mib: int) -> str:
    """Write MiB the way people read them: ``4 GiB``, ``1.5 GiB``, ``512 MiB``."""
    if mib >= 1024:
        return f"{mib / 1024:.10g} GiB" if mib % 512 == 0 else f"{mib} MiB"
    return f"{mib} MiB"


def format_cpu(cpu: float) -> str:
    """Write a number of CPUs, which may be a fraction: ``4``, ``0.5``."""
    return f"{cpu:.10g}"


def plain_number(number: float) -> int | float:
    """The same number, however it was written: 1 and 1.0 are one, as JSON and digests should have it."""
    return int(number) if float(number).is_integer() else float(number)
