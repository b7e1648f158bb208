#!/usr/bin/python
# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say which VMs a libvirt host has."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_info
short_description: Say which virtual machines a libvirt host has
version_added: 0.1.0
author:
  - The minicloud authors (@minicloud)
description:
  - Lists a host's domains as far as minicloud understands them, those that it did not make included.
extends_documentation_fragment:
  - minicloud.libvirt.hypervisor
options:
  vms:
    description:
      - Only these VMs, each by its id, its name or its UUID. One that is not there is missing from the result.
    type: list
    elements: str
  managed:
    description:
      - Only VMs that minicloud made, or with V(false) only domains that it did not make. Both if not set.
    type: bool
  states:
    description:
      - Only VMs in one of these states.
    type: list
    elements: str
    choices: [running, paused, stopped, crashed, suspended, unknown]
  addresses:
    description:
      - Whether to ask libvirt's networks, and the guests' agents, for IP addresses.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status without modifying the host.
    support: full
  diff_mode:
    description: Returns details on what has changed, or would in C(check_mode), when in diff mode.
    support: none
seealso:
  - module: minicloud.libvirt.vm
"""

EXAMPLES = r"""
- name: Everything on the host
  minicloud.libvirt.vm_info:
  register: found

- name: One VM with its addresses
  minicloud.libvirt.vm_info:
    vms: [web01]
    addresses: true

- name: Domains that nobody keeps
  minicloud.libvirt.vm_info:
    managed: false
"""

RETURN = r"""
vms:
  description: The VMs, by id.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The VM's id, which is the name of its domain.
      type: str
      sample: vm-101
    uuid:
      description: The VM's UUID.
      type: str
    name:
      description: The VM's name.
      type: str
      sample: web01
    managed:
      description: Whether minicloud made it.
      type: bool
    project:
      description: The project; empty for a domain that minicloud did not make.
      type: str
    epoch:
      description: The epoch of the last operation; -1 for a domain that minicloud did not make.
      type: int
    spec_hash:
      description: The digest of the spec that it was made from.
      type: str
    state:
      description: C(running), C(paused), C(stopped), C(crashed), C(suspended) or C(unknown).
      type: str
    state_reason:
      description: Why it is paused, as far as libvirt knows.
      type: str
    restart_required:
      description: Whether the running guest still has an older definition.
      type: bool
    autostart:
      description: Whether libvirt starts it with the host. minicloud never asks for that.
      type: bool
    cpu:
      description: Virtual CPUs.
      type: int
    ram:
      description: Memory in MiB.
      type: int
    boot:
      description: C(kernel), C(initrd) and C(cmdline) of a VM that boots from a kernel, else null.
      type: dict
    disks:
      description: The disks, each with C(name), C(size) in bytes and C(path).
      type: list
      elements: dict
    nics:
      description: The network cards, each with C(network), C(mac) and C(model).
      type: list
      elements: dict
    labels:
      description: The VM's labels.
      type: dict
    machine:
      description: The machine type.
      type: str
      sample: pc-q35-7.2
    huge_pages:
      description: Whether its memory comes from huge pages.
      type: bool
    pinned:
      description: Whether each of its virtual CPUs has a thread of the host for itself.
      type: bool
    numa:
      description: The host's NUMA nodes, one for each of the guest's; empty for a guest that has none.
      type: list
      elements: int
    addresses:
      description: IP addresses, without those of the guest's loopback. Empty where nobody knows any.
      type: list
      elements: str
      returned: when O(addresses=true)
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.arguments import URI
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.binding import LIBVIRT_IMPORT_ERROR
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.connection import open_connection
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.inventory import DomainFilter, vm_facts
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.errors import MinicloudError

ARGUMENTS: dict[str, dict[str, Any]] = {
    **URI,
    "vms": {"type": "list", "elements": "str"},
    "managed": {"type": "bool"},
    "states": {
        "type": "list",
        "elements": "str",
        "choices": ["running", "paused", "stopped", "crashed", "suspended", "unknown"],
    },
    "addresses": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if LIBVIRT_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("libvirt-python"), exception=LIBVIRT_IMPORT_ERROR)
    params = module.params
    wanted = DomainFilter.of(params["vms"], params["managed"], params["states"])
    try:
        with open_connection(params["uri"]) as connection:
            vms = vm_facts(connection, wanted, addresses=params["addresses"])
    except MinicloudError as error:
        module.fail_json(msg=error.message, error=error.to_mapping())
    module.exit_json(changed=False, vms=vms)


if __name__ == "__main__":
    main()
