# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of everything that works on a host's libvirtd."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  uri:
    description:
      - The libvirtd to work on. It has to be the one of the machine on which the module runs.
    type: str
    default: qemu:///system
requirements:
  - libvirt-python (Debian and Ubuntu package C(python3-libvirt))
"""

    DIRECTORY = r"""
options:
  directory:
    description:
      - Where the host keeps what belongs to minicloud.
      - Cached images are in C(images), the VMs' serial logs in C(console), and locks that keep two runs from working on
        one VM in C(locks).
    type: path
    default: /var/lib/minicloud
"""

    ITEMS = r"""
options:
  fail_on_item:
    description:
      - Whether the task fails when one of the items failed. All items are carried out before it does.
      - With V(false) the task succeeds, and RV(results) says how each item ended.
    type: bool
    default: true
"""
