#!/usr/bin/python
# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what a libvirt host has."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Say what a libvirt host has and what of it is taken
version_added: 0.1.0
author:
  - The minicloud authors (@minicloud)
description:
  - Reads CPU, memory, accelerator, versions, storage pools and networks from a host's libvirtd.
extends_documentation_fragment:
  - minicloud.libvirt.hypervisor
options:
  accelerator:
    description:
      - What is to run guests. V(auto) takes KVM where libvirt offers it, else emulation.
      - The module fails when the host does not have the one that is asked for.
    type: str
    choices: [auto, kvm, tcg]
    default: auto
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status without modifying the host.
    support: full
  diff_mode:
    description: Returns details on what has changed, or would in C(check_mode), when in diff mode.
    support: none
seealso:
  - module: minicloud.libvirt.vm_info
"""

EXAMPLES = r"""
- name: What the host has
  minicloud.libvirt.host_info:
  register: facts

- name: Refuse a host without KVM
  ansible.builtin.assert:
    that: facts.host.accelerator == "kvm"
"""

RETURN = r"""
host:
  description: The host.
  returned: success
  type: dict
  contains:
    hostname:
      description: The name by which libvirt knows it.
      type: str
    uuid:
      description: The host's UUID.
      type: str
    libvirt_version:
      description: libvirt's version.
      type: str
      sample: 9.0.0
    qemu_version:
      description: QEMU's version.
      type: str
      sample: 7.2.22
    architecture:
      description: The architecture of the host's CPUs.
      type: str
      sample: x86_64
    accelerator:
      description: What runs new guests, C(kvm) or C(tcg).
      type: str
    accelerators:
      description: All that the host offers.
      type: list
      elements: str
    machine:
      description: The machine type of new guests.
      type: str
      sample: q35
    cpu:
      description: C(count), C(mhz), C(model), C(vendor), C(numa_nodes), C(sockets), C(cores) and C(threads).
      type: dict
    memory:
      description: C(total_mib) and C(available_mib), caches counted as available.
      type: dict
    domains:
      description: How many domains are C(active) and C(inactive), and the C(cpus) and C(memory_mib) of the active ones.
      type: dict
    pools:
      description:
        - The storage pools, each with C(name), C(type), C(path), C(state), C(autostart) and, in bytes, C(capacity),
          C(allocation) and C(available).
      type: list
      elements: dict
    networks:
      description: The networks, each with C(name), C(uuid), C(active), C(autostart), C(forward) and C(bridge).
      type: list
      elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.arguments import ACCELERATOR, URI
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.binding import LIBVIRT_IMPORT_ERROR
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.connection import open_connection
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.host_facts import host_facts
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.errors import MinicloudError

ARGUMENTS: dict[str, dict[str, Any]] = {**URI, **ACCELERATOR}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if LIBVIRT_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("libvirt-python"), exception=LIBVIRT_IMPORT_ERROR)
    try:
        with open_connection(module.params["uri"]) as connection:
            host = host_facts(connection, module.params["accelerator"])
    except MinicloudError as error:
        module.fail_json(msg=error.message, error=error.to_mapping())
    module.exit_json(changed=False, host=host)


if __name__ == "__main__":
    main()
