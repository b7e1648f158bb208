#!/usr/bin/python
# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make VMs on a libvirt host what they are to be."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vm
short_description: Make, change, switch and remove virtual machines on a libvirt host
version_added: 0.1.0
author:
  - The minicloud authors (@minicloud)
description:
  - Makes one VM, or each of a list, what it is to be, over one connection to the host's libvirtd.
  - A VM is addressed by its UUID. The UUID and the MACs of its cards stay what they are for its life.
  - Only what minicloud owns is compared and changed, which is CPU, memory, boot files, disks by their target, cards by
    their MAC, labels, the cloud-init seed, machine type, huge pages, pinning, NUMA nodes and the identity in the
    domain's metadata.
  - What a guest runs on is left as it is. A changed definition takes effect at the guest's next start, and
    RV(results[].restart_required) says so.
  - A domain that minicloud did not make is never touched. An order that needs its name or UUID fails.
  - A VM that cannot be made leaves nothing behind.
  - This module decides nothing about placement. See M(minicloud.libvirt.scheduler) for that.
extends_documentation_fragment:
  - minicloud.libvirt.hypervisor
  - minicloud.libvirt.hypervisor.directory
  - minicloud.libvirt.hypervisor.items
options:
  vms:
    description:
      - Several VMs, each with a result of its own. Excludes all options that describe a single VM.
      - Orders about one VM are carried out one after the other, in the order given.
    type: list
    elements: dict
    suboptions: &vm
      id:
        description:
          - The VM's id, which is the name of its libvirt domain.
          - For a VM that exists, the id of the VM of that O(name). For a new one, the O(name).
        type: str
      uuid:
        description:
          - The VM's libvirt UUID.
          - For a new VM it is derived from the host's UUID and O(id) if not set, and so is the same each time.
        type: str
      name:
        description:
          - The VM's name, which the guest gets as its host name. One DNS label.
        type: str
      project:
        description:
          - The project that the VM belongs to. A new VM belongs to C(default) if not set.
        type: str
      state:
        description:
          - V(present) makes the VM and leaves its power alone. It is taken if neither this nor O(action) is set.
          - V(running) starts, resumes or wakes it.
          - V(stopped) asks the guest to shut down and, after O(graceful) seconds, takes its power away.
          - V(paused) keeps it in memory without running it.
          - V(absent) takes its power away and removes it with its volumes, its seed and its serial log.
        type: str
        choices: [present, running, stopped, paused, absent]
      action:
        description:
          - What to do to a VM that runs and is to run, each time the task is carried out.
            O(state) is V(running) then, and cannot be anything else.
          - V(reboot) asks the guest and, after O(graceful) seconds, resets it. V(reset) does not ask.
          - A VM that has to be started needs neither, and is only started.
        type: str
        choices: [reboot, reset]
      epoch:
        description:
          - How many operations the VM has seen. An order of a lower epoch than the domain's is refused.
          - Keeps the domain's if not set.
        type: int
      spec_hash:
        description:
          - A digest of the spec that the order was made from. It is kept in the domain's metadata.
        type: str
      operation:
        description:
          - The operation for which this is done. It is returned with the result.
        type: str
      cpu:
        description:
          - Virtual CPUs. A new VM gets 1 if not set.
        type: int
      ram:
        description:
          - Memory, as text such as V(4G), or in MiB. A new VM gets 512 MiB if not set.
        type: str
      image:
        description:
          - What the VM boots from. Its files are fetched into the host's cache when they are missing.
          - A V(kernel) image is booted directly. With a V(disk) image the first disk is an overlay over it.
        type: dict
        suboptions: &image
          name:
            description: The image's name.
            type: str
            required: true
          kind:
            description: What the image consists of.
            type: str
            choices: [kernel, disk]
            required: true
          files:
            description: The image's files.
            type: list
            elements: dict
            required: true
            suboptions:
              role:
                description: What the file is for.
                type: str
                choices: [kernel, initrd, disk]
                required: true
              name:
                description: The file's name in the cache.
                type: str
                required: true
              sha256:
                description: The SHA-256 of the file, 64 lower-case hexadecimal digits.
                type: str
                required: true
              size:
                description: Bytes. With V(0) the size is not checked.
                type: int
                default: 0
              url:
                description: Where to fetch it, by HTTP, HTTPS or from a C(file://). Without it the file must be there.
                type: str
                default: ''
          architecture:
            description: The architecture that the image is made for.
            type: str
            default: x86_64
          cmdline:
            description: The kernel command line of a V(kernel) image.
            type: str
            default: ''
          format:
            description: The format of a V(disk) image's file.
            type: str
            choices: [qcow2, raw]
            default: qcow2
          min_ram_mib:
            description: MiB of memory without which it does not boot. For schedulers; not checked here.
            type: int
            default: 0
          min_disk:
            description: Bytes of disk without which it does not boot. For schedulers; not checked here.
            type: int
            default: 0
      kernel:
        description:
          - A kernel on the host to boot, in place of an image's.
        type: path
      initrd:
        description:
          - The initial RAM disk that belongs to O(kernel).
        type: path
      cmdline:
        description:
          - The kernel command line. C(minicloud.name=NAME) is added to it.
        type: str
      disks:
        description:
          - All the disks of the VM. A VM that exists keeps its disks if not set.
          - A disk that is no longer named is taken out of the domain. Its volume goes when the VM goes.
          - Disks can grow, under a running guest too. They cannot shrink.
        type: list
        elements: dict
        suboptions:
          name:
            description: The guest's device, C(vda) to C(vdy). C(vda), C(vdb) and so on if not set.
            type: str
          size:
            description:
              - Text such as V(10G), or bytes.
              - The first disk of a V(disk) image is as large as the image if not set.
            type: str
          pool:
            description: The storage pool for the volume of a new disk. C(default) if not set.
            type: str
      nics:
        description:
          - All the network cards of the VM. A VM that exists keeps its cards if not set. A new one gets a card on the
            network C(default) if not set, and none for an empty list.
        type: list
        elements: dict
        suboptions:
          network:
            description: The libvirt network. C(default) if not set.
            type: str
          mac:
            description:
              - The card's MAC. If not set, that of the domain's card on the same network, else derived from the UUID.
            type: str
          model:
            description: The model. C(virtio) if not set.
            type: str
      cloud_init:
        description:
          - What cloud-init in the guest is handed, on a NoCloud seed. Nothing in it is interpreted.
          - C(user_data) often holds secrets. Use C(no_log) on the task then.
        type: dict
        suboptions:
          user_data:
            description: Text for C(user-data).
            type: raw
          meta_data:
            description: Text for C(meta-data). The UUID and the name if not set.
            type: raw
          network_config:
            description: Text for C(network-config). None if not set.
            type: raw
      labels:
        description:
          - Text by name, kept in the domain's metadata. A VM that exists keeps its labels if not set.
        type: dict
      machine:
        description:
          - The machine type, V(q35), V(pc), V(virt), V(pseries), V(s390-ccw-virtio), or a version of one such as
            C(pc-q35-7.2). Without a version any of the family will do.
          - A VM that exists keeps its own if not set, a new one gets the host's best. On another machine a guest finds
            its devices in other slots at its next start.
        type: str
      huge_pages:
        description:
          - Whether the VM's memory comes from the huge pages of 2 MiB that the host has set aside.
          - A VM that exists keeps what it has if not set.
        type: bool
      pinned:
        description:
          - Whether each virtual CPU has a thread of the host for itself, to which no other VM of minicloud is pinned,
            running or not. The module chooses the threads. An order is refused when too few are left.
          - A VM that exists keeps what it has if not set.
        type: bool
      numa:
        description:
          - The host's NUMA nodes on which the VM lies. The guest sees as many of its own, each with an equal part of
            its virtual CPUs and memory, which stay on that node.
          - A VM that exists keeps what it has if not set. With an empty list it has none.
        type: list
        elements: int
      wait:
        description:
          - Seconds within which each step must have happened, 60 if not set.
        type: float
      graceful:
        description:
          - Seconds a guest gets to shut down or reboot by itself, 20 if not set.
        type: float
  <<: *vm
  threads:
    description:
      - How many VMs are worked on at once.
    type: int
    default: 8
  accelerator:
    description:
      - What runs the guests of new VMs. V(auto) takes KVM where libvirt offers it, else emulation.
    type: str
    choices: [auto, kvm, tcg]
    default: auto
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status without modifying the host.
    support: full
  diff_mode:
    description: Returns details on what has changed, or would in C(check_mode), when in diff mode.
    support: full
seealso:
  - module: minicloud.libvirt.vm_info
  - module: minicloud.libvirt.migration
  - module: minicloud.libvirt.scheduler
"""

EXAMPLES = r"""
- name: A VM from a kernel and an initrd on the host
  minicloud.libvirt.vm:
    name: web01
    state: running
    cpu: 2
    ram: 1G
    kernel: /srv/boot/vmlinuz
    initrd: /srv/boot/initrd.img
    cmdline: console=ttyS0 quiet

- name: A VM from a disk image, with cloud-init and a second disk
  minicloud.libvirt.vm:
    name: db01
    state: running
    ram: 4G
    image:
      name: debian
      kind: disk
      files:
        - role: disk
          name: disk.qcow2
          url: https://images.example.org/debian.qcow2
          sha256: 5d1a9c6e3a1f0a6f1a3c4c1b7d27a5d5b1a4b6c3d2e1f0a9b8c7d6e5f4a3b2c1
    disks:
      - size: 20G
      - size: 100G
    cloud_init:
      user_data: |
        #cloud-config
        ssh_authorized_keys: ["ssh-ed25519 AAAA… admin"]
    labels:
      tier: db

- name: A VM with two threads for itself on one NUMA node, and memory in huge pages
  minicloud.libvirt.vm:
    name: fast01
    state: running
    cpu: 2
    ram: 8G
    pinned: true
    huge_pages: true
    numa: [0]

- name: Stop it, giving it two minutes
  minicloud.libvirt.vm:
    name: db01
    state: stopped
    graceful: 120

- name: Many at once
  minicloud.libvirt.vm:
    vms: "{{ orders }}"
    threads: 8
    fail_on_item: false
  register: outcome

- name: Remove it with its disks
  minicloud.libvirt.vm:
    name: db01
    state: absent
"""

RETURN = r"""
results:
  description: One result for each VM, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The VM's id; its name where the order was too broken to find out.
      type: str
      returned: always
      sample: vm-101
    uuid:
      description: The VM's UUID.
      type: str
      returned: when the VM could be identified
    operation:
      description: The operation given with the order.
      type: str
      returned: always
    changed:
      description: Whether the VM was changed. A raised epoch alone is no change.
      type: bool
      returned: always
    failed:
      description: Whether the order could not be carried out.
      type: bool
      returned: always
    state:
      description: C(running), C(paused), C(stopped), C(crashed), C(suspended), C(absent), or C(unknown).
      type: str
      returned: always
    before:
      description: The VM as it was found, as far as minicloud owns it.
      type: dict
      returned: always
    after:
      description: The VM as it is now, or would be in check mode.
      type: dict
      returned: always
    restart_required:
      description: Whether the running guest still has an older definition.
      type: bool
      returned: when the VM exists and not in check mode
    forced:
      description: Whether the guest did not obey in time and was forced.
      type: bool
      returned: when the VM is to exist and not in check mode
    error:
      description: What went wrong.
      type: dict
      returned: always
      contains:
        code:
          description: A stable code.
          type: str
          sample: minicloud.hypervisor.failed
        message:
          description: What happened, with the hypervisor's own words.
          type: str
        hint:
          description: What would be right.
          type: str
        field:
          description: The field that is wrong.
          type: str
    seconds:
      description: How long it took.
      type: float
      returned: always
vm:
  description: The only item of RV(results).
  returned: when a single VM was given
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.answer import end
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.apply import apply_order
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.arguments import (
    ACCELERATOR,
    DIRECTORY,
    FAIL_ON_ITEM,
    IMAGE,
    URI,
)
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.batch import DEFAULT_THREADS, run_batch
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.binding import LIBVIRT_IMPORT_ERROR
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.host import Layout, open_hypervisor
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.errors import MinicloudError
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.order import ACTIONS, STATES

# No defaults here: what is not given stays as it is.
VM: dict[str, dict[str, Any]] = {
    "id": {"type": "str"},
    "uuid": {"type": "str"},
    "name": {"type": "str"},
    "project": {"type": "str"},
    "state": {"type": "str", "choices": list(STATES)},
    "action": {"type": "str", "choices": list(ACTIONS)},
    "epoch": {"type": "int"},
    "spec_hash": {"type": "str"},
    "operation": {"type": "str"},
    "cpu": {"type": "int"},
    "ram": {"type": "str"},
    "image": {"type": "dict", "options": IMAGE},
    "kernel": {"type": "path"},
    "initrd": {"type": "path"},
    "cmdline": {"type": "str"},
    "disks": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str"}, "size": {"type": "str"}, "pool": {"type": "str"}},
    },
    "nics": {
        "type": "list",
        "elements": "dict",
        "options": {"network": {"type": "str"}, "mac": {"type": "str"}, "model": {"type": "str"}},
    },
    "cloud_init": {
        "type": "dict",
        "options": {
            "user_data": {"type": "raw"},
            "meta_data": {"type": "raw"},
            "network_config": {"type": "raw"},
        },
    },
    "labels": {"type": "dict"},
    "machine": {"type": "str"},
    "huge_pages": {"type": "bool"},
    "pinned": {"type": "bool"},
    "numa": {"type": "list", "elements": "int"},
    "wait": {"type": "float"},
    "graceful": {"type": "float"},
}
IDENTITY = ("id", "uuid", "name")
ARGUMENTS: dict[str, dict[str, Any]] = {
    **URI,
    **DIRECTORY,
    **FAIL_ON_ITEM,
    **ACCELERATOR,
    "threads": {"type": "int", "default": DEFAULT_THREADS},
    "vms": {"type": "list", "elements": "dict", "options": VM, "required_one_of": [IDENTITY]},
    **VM,
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_one_of=[("vms", *IDENTITY)],
        mutually_exclusive=[("vms", option) for option in VM],
    )
    if LIBVIRT_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("libvirt-python"), exception=LIBVIRT_IMPORT_ERROR)
    params = module.params
    alone = params["vms"] is None
    orders = [{option: params[option] for option in VM}] if alone else params["vms"]
    try:
        with open_hypervisor(params["uri"], Layout.at(params["directory"]), params["accelerator"]) as hypervisor:
            results = run_batch(
                orders,
                lambda order: apply_order(hypervisor, order, check=module.check_mode),
                threads=params["threads"],
            )
    except MinicloudError as error:
        module.fail_json(msg=error.message, error=error.to_mapping())
    end(module, results, alone="vm" if alone else "")


if __name__ == "__main__":
    main()
