# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""libvirt's errors in the project's terms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..model.errors import HypervisorError
from .binding import libvirt

# virErrorNumber, which is part of libvirt's ABI.
NO_DOMAIN = 42
NO_NETWORK = 43
NO_STORAGE_POOL = 49
NO_STORAGE_VOL = 50
OPERATION_INVALID = 55

_HINTS = {
    5: "is libvirtd running, and does the URI name it?",
    38: "is libvirtd running, and does the URI name it?",
    NO_NETWORK: "define and start the network first, or name one that exists",
    45: "this user may not use that connection; run the task with become",
    NO_STORAGE_POOL: "define and start the pool first, or name one that exists",
    68: "another job holds the domain; try again when it has ended",
}


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what libvirt raises inside into a HypervisorError.

    :param doing: what was attempted, completing "cannot …": ``start domain vm-101``.
    :raises HypervisorError: with libvirt's own words, and its code and domain in ``details``.
    """
    try:
        yield
    except libvirt.libvirtError as error:
        code = error.get_error_code()
        raise HypervisorError(
            f"cannot {doing}: {error.get_error_message() or error}",
            hint=_HINTS.get(code, ""),
            details={"libvirt_code": code, "libvirt_domain": error.get_error_domain()},
        ) from error


@contextmanager
def tolerating(*codes: int) -> Iterator[None]:
    """Ignore libvirt errors of these codes: what they say is missing or done already is as it should be."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() not in codes:
            raise
