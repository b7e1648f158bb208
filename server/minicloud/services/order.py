"""Complete orders, made from what the database says. Pure: a playbook that gets one picks nothing by itself."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from minicloud_core.model.image import Image
from minicloud_core.model.order import DiskOrder, MigrationOrder, NicOrder, SeedOrder, VmOrder
from minicloud_core.model.scheduling import SchedulingSpec
from minicloud_core.model.vm import CloudInitSpec, VmSpec

from minicloud.store.host import HostRow
from minicloud.store.operation import OperationRow
from minicloud.store.vm import VmRow

# A file's name to the URL that a host fetches it by.
Signer = Callable[[str, str], str]

FENCE_TIMEOUT: Final = 60
GRACEFUL: Final = 20.0
WAIT: Final = 60.0

_STATES: Final = {
    "vm.start": "running",
    "vm.stop": "stopped",
    "vm.reboot": "running",
    "vm.reset": "running",
    "vm.pause": "paused",
    "vm.resume": "running",
    "vm.delete": "absent",
    "domain.purge": "absent",
}
_ACTIONS: Final = {"vm.reboot": "reboot", "vm.reset": "reset"}


def vm_order(operation: OperationRow, vm: VmRow, sign: Signer, numa: Sequence[int] = ()) -> Mapping[str, Any]:
    """The order for one VM on the operation's host.

    :param numa: the host's NUMA nodes on which it lies, by their numbers.
    :param sign: gives the URL of an image's file, from the image's name and the file's.
    """
    arguments = operation.arguments
    asked = SchedulingSpec.from_stored(vm.spec.get("scheduling") or {})
    return VmOrder(
        id=vm.id,
        uuid=vm.uuid,
        name=vm.name,
        project=vm.project,
        state=expected_state(operation, vm),
        epoch=operation.epoch or 0,
        spec_hash=vm.spec_hash,
        cpu=vm.cpu,
        ram=vm.ram_mib,
        image=signed_image(vm, sign),
        disks=tuple(DiskOrder(**disk) for disk in vm.disks),
        nics=tuple(NicOrder(**nic) for nic in vm.nics),
        cloud_init=_seed(vm),
        labels=vm.labels,
        machine=asked.machine or "",
        huge_pages=asked.huge_pages,
        pinned=asked.pinned,
        numa=tuple(numa),
        operation=operation.id,
        action=_ACTIONS.get(operation.kind),
        wait=float(arguments.get("wait", WAIT)),
        graceful=0.0 if arguments.get("force") else float(arguments.get("graceful", GRACEFUL)),
    ).to_mapping()


def expected_state(operation: OperationRow, vm: VmRow) -> str:
    """The state in which an operation is to leave a domain.

    A VM that is to be paused is made running first: nothing else can be paused.
    """
    if operation.kind == "vm.create":
        return "stopped" if vm.aim == "stopped" else "running"
    return _STATES[operation.kind]


def migration_order(
    operation: OperationRow, vm: VmRow, destination: HostRow, numa: Sequence[int] = ()
) -> Mapping[str, Any]:
    """The order for a migration, carried out on the operation's host.

    :param numa: the destination's NUMA nodes on which it is to lie, by their numbers.
    """
    arguments = operation.arguments
    return MigrationOrder(
        id=vm.id,
        uuid=vm.uuid,
        name=vm.name,
        epoch=operation.epoch or 0,
        source=operation.host or "",
        destination=destination.name,
        destination_uri=f"qemu+tls://{bracket(destination.address)}/system",
        migrate_host=destination.migrate_address or destination.address,
        operation=operation.id,
        live=bool(arguments.get("live", True)),
        copy_storage=bool(arguments.get("copy_storage", bool(vm.disks))),
        tls=bool(arguments.get("tls", False)),
        bandwidth_mib=int(arguments.get("bandwidth_mib", 0)),
        timeout=float(arguments.get("timeout", 120)),
        numa=tuple(numa),
    ).to_mapping()


def fence_order(operation: OperationRow, host: HostRow) -> Mapping[str, Any]:
    """The order to cut a host's power, carried out on the control node."""
    fence = host.fence or {}
    return {
        "id": host.name,
        "operation": operation.id,
        "agent": fence.get("agent", ""),
        "options": dict(fence.get("options") or {}),
        "action": "off",
        "timeout": FENCE_TIMEOUT,
    }


def signed_image(vm: VmRow, sign: Signer) -> Image:
    """A VM's image as it was when the VM was made, with URLs that a host may fetch it by."""
    image = Image.from_mapping(vm.image_content)
    return replace(image, files=tuple(replace(file, url=sign(image.name, file.name)) for file in image.files))


def bracket(address: str) -> str:
    """An address as a URL takes it: IPv6 in brackets."""
    try:
        return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    except ValueError:
        return address


def _seed(vm: VmRow) -> SeedOrder | None:
    cloud_init = VmSpec.from_stored(vm.spec).cloud_init
    if cloud_init is None:
        return None
    # JSON is YAML, and quotes everything that could be taken for something else.
    meta_data = json.dumps({"instance-id": vm.uuid, "local-hostname": vm.name}) + "\n"
    return SeedOrder(_user_data(cloud_init), meta_data, cloud_init.network_config)


def _user_data(cloud_init: CloudInitSpec) -> str:
    if cloud_init.user_data:
        return cloud_init.user_data
    content = {"ssh_authorized_keys": [*cloud_init.ssh_keys]} if cloud_init.ssh_keys else {}
    return "#cloud-config\n" + json.dumps(content) + "\n"
