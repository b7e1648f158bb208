"""The inventory of a run: its hosts, and for each the complete orders of the task there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minicloud.services.view.operation import Connection

from .batch import Batch

TARGETS = "minicloud_targets"
DESTINATIONS = "minicloud_destinations"
_INTERPRETER = "/usr/bin/python3"


def inventory(batch: Batch, run: str, *, control_interpreter: str) -> dict[str, Any]:
    """Lay a batch out for Ansible.

    :param control_interpreter: the Python that runs modules on the control node.
    :returns: the mapping of a YAML inventory, JSON-compatible; strings from orders are marked so that Ansible never
        takes one for a template.
    """
    targets = {
        name: {
            **_variables(claims[0].connection, control_interpreter),
            "minicloud_run": run,
            "minicloud_orders": [literal(claim.order) for claim in claims],
        }
        for name, claims in batch.by_host().items()
    }
    groups: dict[str, Any] = {TARGETS: {"hosts": targets}}
    destinations = _destinations(batch, control_interpreter)
    if destinations:
        groups[DESTINATIONS] = {"hosts": destinations}
    return {"all": {"children": groups}}


def literal(value: Any) -> Any:
    """Mark every string in a JSON value as data, in the notation that Ansible's loader understands."""
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    if isinstance(value, Mapping):
        return {key: literal(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [literal(item) for item in value]
    return value


def _destinations(batch: Batch, control_interpreter: str) -> dict[str, Any]:
    """Hosts that VMs move to, with the images that they need there, each once."""
    hosts: dict[str, Any] = {}
    for claim in batch.claims:
        if claim.destination is None:
            continue
        host = hosts.setdefault(
            claim.destination.name,
            {**_variables(claim.destination, control_interpreter), "minicloud_images": []},
        )
        if claim.image is not None and literal(claim.image) not in host["minicloud_images"]:
            host["minicloud_images"].append(literal(claim.image))
    return hosts


def _variables(connection: Connection, control_interpreter: str) -> dict[str, Any]:
    if connection.local:
        return {"ansible_connection": "local", "ansible_python_interpreter": control_interpreter}
    variables: dict[str, Any] = {
        "ansible_host": literal(connection.address),
        "ansible_user": literal(connection.user),
        "ansible_port": connection.port,
        "ansible_python_interpreter": _INTERPRETER,
    }
    if connection.key_file:
        variables["ansible_ssh_private_key_file"] = literal(connection.key_file)
    return variables
