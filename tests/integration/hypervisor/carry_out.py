"""Carry out one order on the host on which this runs, as a module would, and print the result.

usage: python -m tests.integration.hypervisor.carry_out vm|image|migration ORDER_AS_JSON
A tenth of the time that ansible takes, for the steps of a test that are not about the module itself.
"""

from __future__ import annotations

import json
import sys

from minicloud_core.hypervisor.apply import apply_order
from minicloud_core.hypervisor.host import Layout, open_hypervisor
from minicloud_core.hypervisor.image_work import have_image
from minicloud_core.hypervisor.migrate import migrate_order


def main(verb: str, text: str) -> None:
    order = json.loads(text)
    with open_hypervisor("qemu:///system", Layout()) as hypervisor:
        if verb == "image":
            result = have_image(hypervisor.layout.images, order, timeout=60, check=False)
        else:
            result = (apply_order if verb == "vm" else migrate_order)(hypervisor, order)
    print(json.dumps(result.to_mapping()))


if __name__ == "__main__":
    main(*sys.argv[1:])
