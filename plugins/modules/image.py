#!/usr/bin/python
# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep images in a host's cache."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Keep images that virtual machines boot from in a host's cache
version_added: 0.1.0
author:
  - The minicloud authors (@minicloud)
description:
  - Fetches the files of images, verifies size and SHA-256, and keeps them where M(minicloud.libvirt.vm) looks for them.
  - An image is there completely or not at all. Another content of the same name is another image.
  - Runs that want the same image at the same time fetch it once.
extends_documentation_fragment:
  - minicloud.libvirt.hypervisor
  - minicloud.libvirt.hypervisor.directory
  - minicloud.libvirt.hypervisor.items
options:
  images:
    description:
      - Several images, each with a result of its own. Excludes all options that describe a single one.
    type: list
    elements: dict
    suboptions: &image
      name:
        description: The image's name. One DNS label.
        type: str
      kind:
        description: What the image consists of. Needed, with O(files), unless O(state=absent).
        type: str
        choices: [kernel, disk]
      files:
        description: The image's files.
        type: list
        elements: dict
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
            description: Where to fetch it, by HTTP, HTTPS or from a C(file://).
            type: str
            default: ''
      architecture:
        description: The architecture that the image is made for. Kept for orders; not used here.
        type: str
      cmdline:
        description: The kernel command line of a V(kernel) image. Kept for orders; not used here.
        type: str
      format:
        description: The format of a V(disk) image's file. Kept for orders; not used here.
        type: str
        choices: [qcow2, raw]
      min_ram_mib:
        description: MiB of memory without which it does not boot. Kept for orders; not used here.
        type: int
      min_disk:
        description: Bytes of disk without which it does not boot. Kept for orders; not used here.
        type: int
      operation:
        description: The operation for which this is done. It is returned with the result.
        type: str
  <<: *image
  state:
    description:
      - V(present) has the images in the cache.
      - V(absent) removes them, each with all contents of that O(name) unless O(files) says which. An image that a VM
        boots from, or whose disk lies over it, is not removed, and the item fails.
    type: str
    choices: [present, absent]
    default: present
  timeout:
    description:
      - Seconds without a byte after which a source counts as dead.
    type: float
    default: 60
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status without modifying the host.
    support: full
  diff_mode:
    description: Returns details on what has changed, or would in C(check_mode), when in diff mode.
    support: full
seealso:
  - module: minicloud.libvirt.vm
"""

EXAMPLES = r"""
- name: Have a kernel image ready before VMs need it
  minicloud.libvirt.image:
    name: tiny
    kind: kernel
    files:
      - role: kernel
        name: vmlinuz
        url: https://images.example.org/tiny/vmlinuz
        sha256: 0a4d55a8d778e5022fab701977c5d840bbc486d0c6a1f0b7c1c3f0c3e5a7d9b1
      - role: initrd
        name: initrd.img
        url: https://images.example.org/tiny/initrd.img
        sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

- name: Remove every content of an image
  minicloud.libvirt.image:
    name: tiny
    state: absent
"""

RETURN = r"""
results:
  description: One result for each image, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The image's name.
      type: str
      returned: always
    operation:
      description: The operation given with the image.
      type: str
      returned: always
    path:
      description: The image's folder on the host.
      type: str
      returned: when the image is there, or would be
    changed:
      description: Whether anything was fetched or removed.
      type: bool
      returned: always
    failed:
      description: Whether the image could not be had, or not be removed.
      type: bool
      returned: always
    state:
      description: C(present) or C(absent).
      type: str
      returned: always
    before:
      description: The C(state) before.
      type: dict
      returned: always
    after:
      description: The C(state) now, or in check mode what it would be.
      type: dict
      returned: always
    error:
      description:
        - What went wrong. C(details) name the file, and for a wrong file what was expected and what came.
        - See M(minicloud.libvirt.vm) for what it contains.
      type: dict
      returned: always
    seconds:
      description: How long it took.
      type: float
      returned: always
image:
  description: The only item of RV(results).
  returned: when a single image was given
  type: dict
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.answer import end
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.arguments import (
    DIRECTORY,
    FAIL_ON_ITEM,
    IMAGE,
    URI,
)
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.binding import LIBVIRT_IMPORT_ERROR
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.connection import open_connection
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.host import Layout
from ansible_collections.minicloud.libvirt.plugins.module_utils.hypervisor.image_work import drop_image, have_image
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.errors import MinicloudError

# As in an order, but nothing required: an image that is to go needs no more than its name.
ITEM: dict[str, dict[str, Any]] = {
    **{
        option: {key: value for key, value in spec.items() if key not in ("required", "default")}
        for option, spec in IMAGE.items()
    },
    "operation": {"type": "str"},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    **URI,
    **DIRECTORY,
    **FAIL_ON_ITEM,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "timeout": {"type": "float", "default": 60.0},
    "images": {"type": "list", "elements": "dict", "options": ITEM},
    **ITEM,
}


def present(orders: list[dict[str, Any]], cache: Path, timeout: float, *, check: bool) -> list[dict[str, Any]]:
    """Have images one after the other: they share the line."""
    return [have_image(cache, order, timeout=timeout, check=check).to_mapping() for order in orders]


def absent(orders: list[dict[str, Any]], cache: Path, uri: str, *, check: bool) -> list[dict[str, Any]]:
    """Remove images that no domain needs."""
    with open_connection(uri) as connection:
        return [drop_image(connection, cache, order, check=check).to_mapping() for order in orders]


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_one_of=[("images", "name")],
        mutually_exclusive=[("images", option) for option in ITEM],
    )
    params = module.params
    alone = params["images"] is None
    orders = [{option: params[option] for option in ITEM}] if alone else params["images"]
    cache = Layout.at(params["directory"]).images
    try:
        if params["state"] == "present":
            results = present(orders, cache, params["timeout"], check=module.check_mode)
        elif LIBVIRT_IMPORT_ERROR is not None:
            module.fail_json(msg=missing_required_lib("libvirt-python"), exception=LIBVIRT_IMPORT_ERROR)
        else:
            results = absent(orders, cache, params["uri"], check=module.check_mode)
    except MinicloudError as error:
        module.fail_json(msg=error.message, error=error.to_mapping())
    end(module, results, alone="image" if alone else "")


if __name__ == "__main__":
    main()
