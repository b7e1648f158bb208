# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""libvirt's Python binding, where it is installed.

A module must load without it, so that a host that lacks it gets a sentence instead of a traceback.
"""

from __future__ import annotations

import traceback

try:
    import libvirt
except ImportError:
    libvirt = None
    LIBVIRT_IMPORT_ERROR: str | None = traceback.format_exc()
else:
    LIBVIRT_IMPORT_ERROR = None
    # Errors arrive as exceptions; the binding's default also prints them, and a module's output is JSON.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)

__all__ = ["LIBVIRT_IMPORT_ERROR", "libvirt"]
