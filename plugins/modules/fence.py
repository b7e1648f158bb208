#!/usr/bin/python
# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switch the power of hosts and see that it worked."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fence
short_description: Switch the power of hosts by a fence agent, and see that it worked
version_added: 0.1.0
author:
  - The minicloud authors (@minicloud)
description:
  - Drives any agent that speaks the FenceAgent API, such as C(fence_ipmilan) and C(fence_redfish).
  - The agent's word is not enough. The power is read before and after, and only a power that is seen to be off
    counts as off.
  - Runs on the machine from which the power controllers are reached, which is the control node as a rule.
options:
  host:
    description:
      - The host whose power is switched.
    type: str
  agent:
    description:
      - The agent, a program's name or path.
    type: str
  options:
    description:
      - What the agent is told, such as C(ip), C(username), C(password) and C(plug).
      - Values whose names look like those of secrets are never shown.
    type: dict
    default: {}
  action:
    description:
      - What to do. A host that is V(off) or V(on) already is left alone.
    type: str
    choices: ['off', 'on', reboot, status]
    default: 'off'
  timeout:
    description:
      - Seconds for one call of the agent, and for the power to follow.
    type: float
    default: 60
  fences:
    description:
      - Several hosts at once, each with a result of its own. Excludes O(host) and what belongs to it.
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - The host.
        type: str
        required: true
      operation:
        description:
          - The operation for which this is done, returned with the result.
        type: str
        default: ''
      agent:
        description:
          - The agent, a program's name or path.
        type: str
        required: true
      options:
        description:
          - What the agent is told.
        type: dict
        default: {}
      action:
        description:
          - What to do.
        type: str
        choices: ['off', 'on', reboot, status]
        default: 'off'
      timeout:
        description:
          - Seconds for one call of the agent, and for the power to follow.
        type: float
        default: 60
  fail_on_item:
    description:
      - Whether the task fails when one of O(fences) does. All are carried out in any case.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: In check mode the power is read and not switched.
  diff_mode:
    support: full
    description: Shows the power before and after.
seealso:
  - module: minicloud.libvirt.host
"""

EXAMPLES = r"""
- name: Cut a host's power
  minicloud.libvirt.fence:
    host: node1
    agent: fence_ipmilan
    options:
      ip: 192.0.2.111
      username: admin
      password: "{{ ipmi_password }}"

- name: See which of two hosts is on
  minicloud.libvirt.fence:
    fences:
      - {id: node1, agent: fence_ipmilan, action: status, options: {ip: 192.0.2.111, username: admin}}
      - {id: node2, agent: fence_ipmilan, action: status, options: {ip: 192.0.2.112, username: admin}}
  register: power
"""

RETURN = r"""
results:
  description: One result for each host, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The host.
      type: str
      sample: node1
    operation:
      description: The operation given.
      type: str
    changed:
      description: Whether the power was switched.
      type: bool
    failed:
      description: Whether the power is not known to be as it should be.
      type: bool
    state:
      description: The power as it was seen last, V(on), V(off) or V(unknown).
      type: str
      sample: 'off'
    before:
      description: The power before, as C(power).
      type: dict
    after:
      description: The power after, as C(power).
      type: dict
    error:
      description: What went wrong, with C(code), C(message) and perhaps C(hint). Null when nothing did.
      type: dict
    seconds:
      description: How long it took.
      type: float
power:
  description: The power as it was seen last.
  returned: when O(host) is given
  type: str
  sample: 'off'
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.minicloud.libvirt.plugins.module_utils.fence import ACTIONS, FenceAgent, hide_secrets
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.errors import MinicloudError

# Agents mostly wait; more at once would only crowd the power controllers' network.
_AT_ONCE = 16

_FENCE: dict[str, dict[str, Any]] = {
    "agent": {"type": "str"},
    "options": {"type": "dict", "default": {}},
    "action": {"type": "str", "choices": list(ACTIONS), "default": "off"},
    "timeout": {"type": "float", "default": 60.0},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "host": {"type": "str"},
    **_FENCE,
    "fences": {
        "type": "list",
        "elements": "dict",
        "options": {
            "id": {"type": "str", "required": True},
            "operation": {"type": "str", "default": ""},
            **_FENCE,
            "agent": {"type": "str", "required": True},
        },
    },
    "fail_on_item": {"type": "bool", "default": True},
}


def fence(order: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Carry one order out; what goes wrong is in the result."""
    began = time.monotonic()
    result = {"id": order["id"], "operation": order["operation"], "before": {}, "after": {}, "error": None}
    try:
        power = FenceAgent(order["agent"], order["options"], order["timeout"]).switch(order["action"], dry_run=dry_run)
        result |= {"changed": power.changed, "failed": False, "state": power.after}
        result |= {"before": {"power": power.before}, "after": {"power": power.after}}
    except MinicloudError as error:
        result |= {"changed": False, "failed": True, "state": "unknown", "error": error.to_mapping()}
    return {**result, "seconds": round(time.monotonic() - began, 3)}


def fence_all(orders: list[dict[str, Any]], *, dry_run: bool) -> list[dict[str, Any]]:
    """Carry all out, several at once; results in the order given."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return list(pool.map(lambda order: fence(order, dry_run=dry_run), orders))


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_one_of=[("host", "fences")],
        mutually_exclusive=[("host", "fences"), ("agent", "fences")],
        required_by={"host": ("agent",)},
    )
    params = module.params
    alone = params["fences"] is None
    orders = [{"id": params["host"], "operation": "", **{key: params[key] for key in _FENCE}}]
    orders = orders if alone else params["fences"]
    for order in orders:
        hide_secrets(module, order["options"])
    results = fence_all(orders, dry_run=module.check_mode)
    answer: dict[str, Any] = {
        "changed": any(result["changed"] for result in results),
        "results": results,
        "diff": [{key: {result["id"]: result[key]} for key in ("before", "after")} for result in results],
    }
    if alone:
        answer["power"] = results[0]["state"]
    failures = [result for result in results if result["failed"]]
    if failures and params["fail_on_item"]:
        module.fail_json(msg="; ".join(f"{item['id']}: {item['error']['message']}" for item in failures), **answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
