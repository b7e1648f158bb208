# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For a service with idle hands: answers as the vm module does after a success, and touches nothing."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule({"orders": {"type": "list", "elements": "dict", "required": True}})
    results = [
        {
            "id": order["id"],
            "operation": order["operation"],
            "changed": True,
            "failed": False,
            # A migration's order names no state: it runs there as it ran here.
            "state": order.get("state", "running"),
            "before": {},
            "after": {},
            "error": None,
            "seconds": 0.0,
        }
        for order in module.params["orders"]
    ]
    module.exit_json(changed=bool(results), results=results)


if __name__ == "__main__":
    main()
