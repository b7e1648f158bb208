"""The line that repeats an operation by hand. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any, Final

from minicloud_core.model.operation import PLAYBOOKS
from minicloud_core.model.vm import VmSpec

_VERBS: Final[dict[str, dict[str, Any]]] = {
    "vm.start": {"state": "running"},
    "vm.stop": {"state": "stopped"},
    "vm.reboot": {"action": "reboot"},
    "vm.reset": {"action": "reset"},
    "vm.pause": {"state": "paused"},
    "vm.resume": {"state": "running"},
}


def create_command(spec: VmSpec, project: str, host: str) -> str:
    """:param host: where it was placed: by hand it goes to the same place."""
    variables: dict[str, Any] = {"name": spec.name, "cpu": spec.cpu, "ram": spec.ram_mib, "image": spec.image}
    variables |= {"host": host} | _project(project)
    mapping, plain = spec.to_mapping(), VmSpec(name=spec.name).to_mapping()
    optional = ("disks", "nics", "cloud_init", "labels", "scheduling")
    rest = {key: mapping[key] for key in optional if mapping.get(key) != plain.get(key)}
    return _line("vm.create", variables, rest)


def change_command(kind: str, name: str, project: str, arguments: Mapping[str, Any]) -> str:
    """:param arguments: what the verb was given; for a migration with the ``host`` that it goes to."""
    return _line(kind, {"name": name, **_VERBS.get(kind, {}), **_project(project), **arguments}, {})


def fence_command(host: str, agent: str) -> str:
    """The agent's options stay out of it: they hold a password."""
    return _line("host.fence", {"name": host, "agent": agent}, {}) + " -e @options.yml"


def purge_command(host: str, order: Mapping[str, Any]) -> str:
    """A playbook would ask the service and remove the VM itself; a stale copy is removed by the module alone."""
    words = ["ansible", "-i", f"{host},", host, "-m", "minicloud.libvirt.vm", "-a", json.dumps({"vms": [order]})]
    return shlex.join(words)


def _project(project: str) -> dict[str, str]:
    return {} if project == "default" else {"project": project}


def _line(kind: str, variables: Mapping[str, Any], rest: Mapping[str, Any]) -> str:
    words = ["ansible-playbook", f"playbooks/{PLAYBOOKS[kind]}"]
    for key, value in variables.items():
        words += ["-e", f"{key}={_word(value)}"]
    for key, value in rest.items():
        # key=value is split at blanks; a mapping is handed over as it is.
        words += ["-e", json.dumps({key: value})]
    return shlex.join(words)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
