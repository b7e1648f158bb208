#!/usr/bin/python
# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make hosts known to the service."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host
short_description: Make a host known to the service, cordon it or forget it
version_added: 0.1.0
author:
  - The minicloud authors (@minicloud)
description:
  - Registers a host, after which the service observes it and, once it has answered, places VMs there.
  - What the host has, its CPUs and memory, is not given here. The service observes it.
  - Needs an administrator's token.
options:
  name:
    description:
      - The host's name.
    type: str
    required: true
  state:
    description:
      - Whether the service knows the host. A host with VMs cannot be forgotten.
    type: str
    choices: [present, absent]
    default: present
  address:
    description:
      - Where the service reaches the host. Needed to register it.
    type: str
  ssh_user:
    description:
      - Who playbooks log in as. V(root) when the host is new.
    type: str
  ssh_port:
    description:
      - Where the host's sshd listens. V(22) when the host is new.
    type: int
  ssh_key_file:
    description:
      - The private key to log in with, a file on the service's machine.
    type: str
  libvirt_uri:
    description:
      - Where the service reaches libvirt. V(qemu+tls://ADDRESS/system) when the host is new.
    type: str
  migrate_address:
    description:
      - Where other hosts send migrations. O(address) when the host is new.
    type: str
  labels:
    description:
      - Labels of the host.
    type: dict
  fence:
    description:
      - How to turn the host's power off. Without it nothing is taken over from this host while it is silent.
    type: dict
    suboptions:
      agent:
        description:
          - The fence agent, such as V(fence_ipmilan).
        type: str
        required: true
      options:
        description:
          - The agent's options, such as C(ip), C(username), C(password) and C(plug).
        type: dict
        default: {}
  cpu_overcommit:
    description:
      - Virtual CPUs for each hardware thread. The policy's figure when not given.
    type: float
  ram_reserved:
    description:
      - Memory that the host keeps for itself, such as V(2G). The policy's figure when not given.
    type: str
  dedicated:
    description:
      - The projects whose VMs alone it takes. An empty list opens it to every project. Left as it is when not given.
    type: list
    elements: str
  power:
    description:
      - What it draws, for policies that heed it. An empty mapping removes what is known. Left as it is when not given.
    type: dict
    suboptions:
      idle_w:
        description: Watts when it has nothing to do.
        type: float
      max_w:
        description: Watts at full load.
        type: float
  bandwidth_mbps:
    description:
      - Its network's bandwidth in Mbit/s, for VMs that ask for some. V(0) where it is not known. Left as it is when not
        given.
    type: int
  cordoned:
    description:
      - Whether new VMs stay away. Left as it is when not given.
    type: bool
  wait:
    description:
      - Seconds to wait until the host is ready. V(0) does not wait.
    type: int
    default: 0
extends_documentation_fragment:
  - minicloud.libvirt.api
attributes:
  check_mode:
    support: full
    description: In check mode the service says what would change.
  diff_mode:
    support: full
    description: Shows the host before and after. Options of the fence agent are never shown.
seealso:
  - module: minicloud.libvirt.certificate
  - module: minicloud.libvirt.fence
"""

EXAMPLES = r"""
- name: Register a host and wait until VMs may go there
  minicloud.libvirt.host:
    name: node1
    address: 192.0.2.11
    labels:
      rack: r1
    fence:
      agent: fence_ipmilan
      options:
        ip: 192.0.2.111
        username: admin
        password: "{{ ipmi_password }}"
    wait: 60

- name: Keep new VMs away
  minicloud.libvirt.host:
    name: node1
    cordoned: true

- name: Forget a host
  minicloud.libvirt.host:
    name: node1
    state: absent
"""

RETURN = r"""
host:
  description: The host as the service shows it. Null when it is not known.
  returned: success
  type: dict
  sample:
    name: node1
    address: 192.0.2.11
    state: ready
    cordoned: false
error:
  description: What went wrong, with C(code), C(message) and perhaps C(hint), C(errors) and C(details).
  returned: failure
  type: dict
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.minicloud.libvirt.plugins.module_utils.api import (
    API_ARGUMENTS,
    ApiClient,
    ApiError,
    as_labels,
    failure_of,
    path_of,
)
from ansible_collections.minicloud.libvirt.plugins.module_utils.fence import hide_secrets
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.errors import (
    InputError,
    MinicloudError,
    NotFoundError,
    Problem,
)
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.units import parse_mib

# What registration says, as the service shows it again; what it leaves unsaid stays as it is.
_KEPT = (
    "address", "ssh_user", "ssh_port", "ssh_key_file", "libvirt_uri", "migrate_address", "labels",
    "cpu_overcommit", "ram_reserved_mib", "dedicated", "power", "bandwidth_mbps",
)  # fmt: skip
_SHOWN = ("name", *_KEPT, "cordoned", "fence_agent")

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "address": {"type": "str"},
    "ssh_user": {"type": "str"},
    "ssh_port": {"type": "int"},
    # A path, not a key.
    "ssh_key_file": {"type": "str", "no_log": False},
    "libvirt_uri": {"type": "str"},
    "migrate_address": {"type": "str"},
    "labels": {"type": "dict"},
    "fence": {
        "type": "dict",
        "options": {
            "agent": {"type": "str", "required": True},
            "options": {"type": "dict", "default": {}},
        },
    },
    "cpu_overcommit": {"type": "float"},
    "ram_reserved": {"type": "str"},
    "dedicated": {"type": "list", "elements": "str"},
    "power": {"type": "dict", "options": {"idle_w": {"type": "float"}, "max_w": {"type": "float"}}},
    "bandwidth_mbps": {"type": "int"},
    "cordoned": {"type": "bool"},
    "wait": {"type": "int", "default": 0},
    **API_ARGUMENTS,
}


def find_host(client: ApiClient, name: str) -> dict[str, Any] | None:
    """The host, or None when the service does not know it."""
    try:
        return client.get(path_of("hosts", name)).body
    except ApiError as error:
        if error.code == NotFoundError.code:
            return None
        raise


def registration(params: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """The whole registration: what is given over what is known.

    :raises InputError: when a new host has no address.
    """
    given = {key: params[key] for key in _KEPT if params.get(key) is not None}
    if "labels" in given:
        given["labels"] = as_labels(given["labels"])
    if "power" in given:
        given["power"] = {key: watts for key, watts in given["power"].items() if watts is not None}
    if params["ram_reserved"] is not None:
        given["ram_reserved_mib"] = parse_mib(params["ram_reserved"], field="ram_reserved")
    if params["fence"] is not None:
        given["fence"] = params["fence"]
    known = _known(before) if before else {}
    if before is None and "address" not in given:
        problem = Problem("address", f"{params['name']} is not registered yet, so an address is needed", "192.0.2.11")
        raise InputError([problem])
    return {"name": params["name"], **known, **given}


def _known(before: dict[str, Any]) -> dict[str, Any]:
    """What stays as it is. What the service made of the address is left to it, since the address may change."""
    made = {"libvirt_uri": f"qemu+tls://{_bracket(before['address'])}/system", "migrate_address": before["address"]}
    return {key: before[key] for key in _KEPT if before.get(key) not in (None, made.get(key))}


def _bracket(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _says_more_than_cordon(params: dict[str, Any]) -> bool:
    return any(params[key] is not None for key in ("fence", "ram_reserved", *_KEPT) if key in params)


def make_present(client: ApiClient, params: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Register, update and cordon as far as needed."""
    before = find_host(client, params["name"])
    changed, after = False, before
    if before is None or _says_more_than_cordon(params):
        after = client.post("/v1/hosts", registration(params, before), dry_run=dry_run or None).body
        changed = after.pop("changed")
    if params["cordoned"] is not None and after is not None and after["cordoned"] != params["cordoned"]:
        changed = True
        verb = "cordon" if params["cordoned"] else "uncordon"
        if not dry_run:
            client.post(path_of("hosts", params["name"], verb))
        after = {**after, "cordoned": params["cordoned"]}
    if params["wait"] and not dry_run:
        after = await_ready(client, params["name"], params["wait"])
    return {"changed": changed, "host": after, "diff": {"before": _shown(before), "after": _shown(after)}}


def make_absent(client: ApiClient, params: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Forget the host, if it is known."""
    before = find_host(client, params["name"])
    if before is not None:
        client.delete(path_of("hosts", params["name"]), dry_run=dry_run or None)
    return {"changed": before is not None, "host": None, "diff": {"before": _shown(before), "after": {}}}


def await_ready(client: ApiClient, name: str, seconds: float) -> dict[str, Any]:
    """The host once it is ready.

    :raises ApiError: when it is not in time, with the service's reason.
    """
    deadline = time.monotonic() + seconds
    while True:
        host = client.get(path_of("hosts", name)).body
        if host["state"] == "ready":
            return host
        if time.monotonic() >= deadline:
            raise ApiError(
                0,
                {
                    "code": "minicloud.client.wait_timeout",
                    "detail": f"{name} is still {host['state']} after {seconds:g} s: "
                    + (host.get("state_reason") or "the service has not seen it yet"),
                    "hint": f"check that the service reaches {host.get('libvirt_uri') or 'libvirt on it'}",
                    "details": {"host": host},
                },
            )
        client.sleep(0.5)


def _shown(host: dict[str, Any] | None) -> dict[str, Any]:
    return {key: host[key] for key in _SHOWN if key in host} if host else {}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    hide_secrets(module, (params["fence"] or {}).get("options") or {})
    apply = make_present if params["state"] == "present" else make_absent
    try:
        result = apply(ApiClient.from_options(params), params, dry_run=module.check_mode)
    except MinicloudError as error:
        module.fail_json(**failure_of(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
