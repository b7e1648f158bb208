#!/usr/bin/python
# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move VMs from this libvirt host to others while they run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration
short_description: Move virtual machines from this libvirt host to others while they run
version_added: 0.1.0
author:
  - The minicloud authors (@minicloud)
description:
  - Runs on the host that the VM leaves. Its libvirtd talks to the destination's by itself.
  - A VM that is at its destination already is left alone. A VM that is off moves as a definition.
  - When a migration fails or takes too long, it is aborted. The VM stays where it is, and nothing stays behind at the
    destination.
  - The destination must have what the VM boots from. See M(minicloud.libvirt.image).
  - The serial log moves along, except what the guest prints while it moves.
  - A VM that is pinned gets threads of the destination that no other VM there has for itself.
extends_documentation_fragment:
  - minicloud.libvirt.hypervisor
  - minicloud.libvirt.hypervisor.directory
  - minicloud.libvirt.hypervisor.items
options:
  migrations:
    description:
      - Several migrations, each with a result of its own. Excludes all options that describe a single one.
    type: list
    elements: dict
    suboptions: &migration
      id:
        description:
          - The VM's id. If neither this nor O(uuid) is set, the VM is found by its O(name).
        type: str
      uuid:
        description:
          - The VM's libvirt UUID.
        type: str
      name:
        description:
          - The VM's name.
        type: str
      epoch:
        description:
          - How many operations the VM has seen. An order of a lower epoch than the domain's is refused.
          - Keeps the domain's if not set.
        type: int
      operation:
        description:
          - The operation for which this is done. It is returned with the result.
        type: str
      source:
        description:
          - What to call this host in the result. Its host name if not set.
        type: str
      destination:
        description:
          - What to call the other host in the result. Its host name if not set.
        type: str
      destination_uri:
        description:
          - The destination's libvirtd, as this host's libvirtd reaches it, such as V(qemu+tls://10.0.0.2/system).
          - Needed for each migration.
        type: str
      migrate_host:
        description:
          - The destination's address for the guest's memory and disks. The host of O(destination_uri) if not set.
        type: str
      live:
        description:
          - Whether the guest runs while it moves, which it does if not set. With V(false) it stands still meanwhile.
        type: bool
      copy_storage:
        description:
          - Whether the hosts share no storage, so that the VM's volumes are copied along and removed here.
          - An overlay over an image becomes a disk of its own when a running VM moves.
        type: bool
      tls:
        description:
          - Whether memory and disks travel encrypted. Both hosts need QEMU's migration certificates for it.
        type: bool
      bandwidth_mib:
        description:
          - The most MiB a second that it may use. Without a limit if not set or V(0).
        type: int
      timeout:
        description:
          - Seconds after which the migration is aborted, 120 if not set.
        type: float
      numa:
        description:
          - The destination's NUMA nodes on which the VM is to lie, one for each of its own.
          - Those of the same numbers if not set. A VM without NUMA nodes of its own has none.
        type: list
        elements: int
  <<: *migration
  threads:
    description:
      - How many migrations run at once.
    type: int
    default: 2
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status without modifying the hosts.
    support: full
  diff_mode:
    description: Returns details on what has changed, or would in C(check_mode), when in diff mode.
    support: full
seealso:
  - module: minicloud.libvirt.vm
  - module: minicloud.libvirt.image
"""

EXAMPLES = r"""
- name: Move a VM to the host at 10.0.0.2
  minicloud.libvirt.migration:
    name: web01
    destination_uri: qemu+tls://10.0.0.2/system

- name: Move a VM with its disks, slowly
  minicloud.libvirt.migration:
    name: db01
    destination_uri: qemu+tls://10.0.0.2/system
    copy_storage: true
    bandwidth_mib: 100
    timeout: 3600
  register: moved

- name: Say how long the guest stood still
  ansible.builtin.debug:
    msg: "{{ moved.migration.downtime_ms }} ms"
"""

RETURN = r"""
results:
  description: One result for each migration, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The VM's id.
      type: str
      returned: always
      sample: vm-101
    uuid:
      description: The VM's UUID.
      type: str
      returned: when the VM was found
    operation:
      description: The operation given with the order.
      type: str
      returned: always
    changed:
      description: Whether the VM has moved.
      type: bool
      returned: always
    failed:
      description: Whether the VM could not be moved.
      type: bool
      returned: always
    state:
      description: What the VM does, wherever it is.
      type: str
      returned: always
    source:
      description: The host that runs this.
      type: str
      returned: when the VM was found
    destination:
      description: The host to move to.
      type: str
      returned: when the VM was found
    before:
      description: Where the VM was, C(host), and what it did, C(state).
      type: dict
      returned: always
    after:
      description: Where the VM is, C(host), and what it does, C(state).
      type: dict
      returned: always
    total_ms:
      description: Milliseconds from the migration's start to its end, as libvirt counted.
      type: int
      returned: when the VM has moved
    downtime_ms:
      description: Milliseconds for which the guest ran nowhere.
      type: int
      returned: when the VM has moved
    setup_ms:
      description: Milliseconds of preparation.
      type: int
      returned: when the VM has moved
    transferred:
      description: Bytes sent in all.
      type: int
      returned: when the VM has moved
    memory_transferred:
      description: Bytes of memory sent.
      type: int
      returned: when the VM has moved
    disk_transferred:
      description: Bytes of disks sent.
      type: int
      returned: when the VM has moved
    iterations:
      description: How often the memory was gone through.
      type: int
      returned: when the VM has moved
    progress:
      description: Snapshots taken on the way, at most about 40.
      type: list
      elements: dict
      returned: when the migration began
      contains:
        seconds:
          description: Since the start.
          type: float
        processed:
          description: Bytes sent.
          type: int
        remaining:
          description: Bytes left.
          type: int
        total:
          description: Bytes in all.
          type: int
        iteration:
          description: How often the memory has been gone through.
          type: int
    error:
      description: What went wrong, and where the VM is. See M(minicloud.libvirt.vm) for what it contains.
      type: dict
      returned: always
    seconds:
      description: How long it took in all.
      type: float
      returned: always
migration:
  description: The only item of RV(results).
  returned: when a single VM was given
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.answer import end
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.arguments import (
    DIRECTORY,
    FAIL_ON_ITEM,
    URI,
)
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.batch import run_batch
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.binding import LIBVIRT_IMPORT_ERROR
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.host import Layout, open_hypervisor
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.migrate import migrate_order
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.errors import MinicloudError

# No defaults here, so that a single migration and a list can be told apart.
MIGRATION: dict[str, dict[str, Any]] = {
    "id": {"type": "str"},
    "uuid": {"type": "str"},
    "name": {"type": "str"},
    "epoch": {"type": "int"},
    "operation": {"type": "str"},
    "source": {"type": "str"},
    "destination": {"type": "str"},
    "destination_uri": {"type": "str"},
    "migrate_host": {"type": "str"},
    "live": {"type": "bool"},
    "copy_storage": {"type": "bool"},
    "tls": {"type": "bool"},
    "bandwidth_mib": {"type": "int"},
    "timeout": {"type": "float"},
    "numa": {"type": "list", "elements": "int"},
}
IDENTITY = ("id", "uuid", "name")
ARGUMENTS: dict[str, dict[str, Any]] = {
    **URI,
    **DIRECTORY,
    **FAIL_ON_ITEM,
    "threads": {"type": "int", "default": 2},
    "migrations": {"type": "list", "elements": "dict", "options": MIGRATION, "required_one_of": [IDENTITY]},
    **MIGRATION,
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_one_of=[("migrations", *IDENTITY)],
        mutually_exclusive=[("migrations", option) for option in MIGRATION],
    )
    if LIBVIRT_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("libvirt-python"), exception=LIBVIRT_IMPORT_ERROR)
    params = module.params
    alone = params["migrations"] is None
    orders = [{option: params[option] for option in MIGRATION}] if alone else params["migrations"]
    try:
        with open_hypervisor(params["uri"], Layout.at(params["directory"])) as hypervisor:
            results = run_batch(
                orders,
                lambda order: migrate_order(hypervisor, order, check=module.check_mode),
                threads=params["threads"],
            )
    except MinicloudError as error:
        module.fail_json(msg=error.message, error=error.to_mapping())
    end(module, results, alone="migration" if alone else "")


if __name__ == "__main__":
    main()
