# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""NumPy, for the one package that computes with it. Importing this never fails: a host needs no NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ..model.errors import UnavailableError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]
    Vector = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]
    # Which hosts: all of them as a slice, or a few by their row.
    Rows: TypeAlias = "slice | npt.NDArray[np.intp]"
else:
    try:
        import numpy as np
    except ImportError:
        np = None

ALL = slice(None)
# Hosts up to which all of them are looked at when some have changed: quicker than to pick those.
FEW = 512

__all__ = ["ALL", "FEW", "np", "require_numpy"]


def require_numpy() -> Any:
    """NumPy.

    :raises UnavailableError: where it is not installed.
    """
    if np is None:
        raise UnavailableError(
            "Placing needs NumPy, which this Python does not have", hint="pip install numpy, or let the service decide"
        )
    return np
