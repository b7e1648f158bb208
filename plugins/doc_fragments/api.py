# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of everything that speaks to the service."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - Where the service listens.
      - If not set, E(MINICLOUD_URL) is used.
    type: str
    default: http://127.0.0.1:8080
  token:
    description:
      - The bearer token, as C(minicloud init) or C(minicloud token create) printed it.
      - If neither this nor O(token_file) is set, E(MINICLOUD_TOKEN) is used, then the file that
        E(MINICLOUD_TOKEN_FILE) names. For a service on this machine the last resort is C(token) in
        E(MINICLOUD_STATE_DIR) or C(.minicloud).
    type: str
  token_file:
    description:
      - A file that holds the token alone. O(token) wins over it.
    type: path
  timeout:
    description:
      - Seconds that one answer of the service may take.
    type: float
    default: 30
  validate_certs:
    description:
      - Whether the service's TLS certificate is checked. Only switch this off where nobody can listen.
    type: bool
    default: true
  ca_path:
    description:
      - PEM file of the authority that signed the service's certificate.
    type: path
notes:
  - Runs where the service can be reached, which is the control node as a rule. Delegate it to C(localhost).
"""
