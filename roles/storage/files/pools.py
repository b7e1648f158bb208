# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a host's directory pools about; the storage role feeds this to the host's Python.

The one argument is JSON: ``{"check": bool, "pools": [{"name", "path", "mode"}]}``. Prints ``{"changes": [str]}``;
in check mode these are what would be done.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from xml.etree import ElementTree

try:
    import libvirt
except ImportError:
    libvirt = None  # a bare host in check mode: everything is still to be done


def render(pool: dict[str, Any]) -> str:
    """The pool as libvirt's XML."""
    root = ElementTree.Element("pool", type="dir")
    ElementTree.SubElement(root, "name").text = pool["name"]
    target = ElementTree.SubElement(root, "target")
    ElementTree.SubElement(target, "path").text = pool["path"]
    ElementTree.SubElement(ElementTree.SubElement(target, "permissions"), "mode").text = pool["mode"]
    return ElementTree.tostring(root, encoding="unicode")


def path_of(existing: Any) -> str | None:
    """The directory of a pool that libvirt has."""
    return ElementTree.fromstring(existing.XMLDesc()).findtext("target/path")


def plan(pool: dict[str, Any], existing: Any | None) -> list[str]:
    """The steps from what is there to what is wanted.

    :raises SystemExit: when the name is taken by a pool elsewhere.
    """
    if existing is None:
        return ["define", "build", "start", "autostart"]
    if path_of(existing) != pool["path"]:
        sys.exit(
            f"pool {pool['name']} is at {path_of(existing)}, not at {pool['path']}: "
            "undefine it, or say in storage_pools where it is"
        )
    return [
        *([] if existing.isActive() else ["build", "start"]),
        *([] if existing.autostart() else ["autostart"]),
    ]


def carry_out(steps: list[str], pool: dict[str, Any], connection: Any, existing: Any | None) -> None:
    """Do the steps in order."""
    if "define" in steps:
        existing = connection.storagePoolDefineXML(render(pool), 0)
    if "build" in steps:
        existing.build(0)
    if "start" in steps:
        existing.create(0)
    if "autostart" in steps:
        existing.setAutostart(1)


def connect(*, check: bool) -> Any | None:
    """A connection to the host's libvirtd; in check mode None where there is none yet."""
    if libvirt is None and not check:
        sys.exit("python3-libvirt is missing on the host: run the libvirt role first")
    if libvirt is None:
        return None
    libvirt.registerErrorHandler(lambda *_ignored: None, None)
    try:
        return libvirt.open("qemu:///system")
    except libvirt.libvirtError as error:
        if check:
            return None
        sys.exit(f"libvirtd does not answer: {error}")


def main() -> None:
    order = json.loads(sys.argv[1])
    connection = connect(check=order["check"])
    present = {} if connection is None else {each.name(): each for each in connection.listAllStoragePools()}
    changes = []
    for pool in order["pools"]:
        existing = present.get(pool["name"])
        steps = plan(pool, existing)
        changes += [f"{step} {pool['name']}" for step in steps]
        if steps and not order["check"]:
            carry_out(steps, pool, connection, existing)
    sys.stdout.write(json.dumps({"changes": changes}))


if __name__ == "__main__":
    main()
