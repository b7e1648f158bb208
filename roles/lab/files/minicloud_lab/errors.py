# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab refuses or fails to do."""

from __future__ import annotations


class LabError(Exception):
    """Says what is wrong, where, and what would be right; shown to the user as it is."""
