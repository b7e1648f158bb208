# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Options that the modules of this room share, as Ansible's argument specs."""

from __future__ import annotations

from typing import Any, Final

from .capabilities import ACCELERATORS

URI: Final[dict[str, Any]] = {"uri": {"type": "str", "default": "qemu:///system"}}
DIRECTORY: Final[dict[str, Any]] = {"directory": {"type": "path", "default": "/var/lib/minicloud"}}
FAIL_ON_ITEM: Final[dict[str, Any]] = {"fail_on_item": {"type": "bool", "default": True}}
ACCELERATOR: Final[dict[str, Any]] = {
    "accelerator": {"type": "str", "choices": list(ACCELERATORS), "default": "auto"},
}

IMAGE: Final[dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["kernel", "disk"], "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "role": {"type": "str", "choices": ["kernel", "initrd", "disk"], "required": True},
            "name": {"type": "str", "required": True},
            "sha256": {"type": "str", "required": True},
            "size": {"type": "int", "default": 0},
            "url": {"type": "str", "default": ""},
        },
    },
    "architecture": {"type": "str", "default": "x86_64"},
    "cmdline": {"type": "str", "default": ""},
    "format": {"type": "str", "choices": ["qcow2", "raw"], "default": "qcow2"},
    "min_ram_mib": {"type": "int", "default": 0},
    "min_disk": {"type": "int", "default": 0},
}
