#!/usr/bin/python
# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Begin, claim, keep and finish operations."""

from __future__ import annotations

DOCUMENTATION = r"""
module: operation
short_description: Begin, claim, keep and finish operations on VMs
version_added: 0.1.0
author:
  - The minicloud authors (@minicloud)
description:
  - Asks the service for a verb on a VM and, as a rule, claims the operation, so that the playbook carries it out.
  - A playbook that has carried out what it claimed reports the outcome with O(action=finish). One that dies instead
    loses its claim after a while, and the service finishes the job.
options:
  action:
    description:
      - V(request) asks for O(verb) on O(vm).
      - V(renew) keeps a claim for longer.
      - V(finish) reports how a claimed operation went.
      - V(cancel) asks that an operation stops.
    type: str
    choices: [request, renew, finish, cancel]
    default: request
  vm:
    description:
      - The VM's id or name.
    type: str
  project:
    description:
      - The project in which O(vm) is a name. The token's own when not given.
    type: str
  verb:
    description:
      - What to do with the VM.
    type: str
    choices: [start, stop, reboot, reset, pause, resume, migrate, delete]
  host:
    description:
      - Where O(verb=migrate) moves the VM. The scheduler chooses when not given.
    type: str
  bandwidth_mib:
    description:
      - The most that O(verb=migrate) may send, in MiB a second. Not limited when not given.
    type: int
  force:
    description:
      - Whether O(verb=stop) pulls the plug without asking the guest first.
    type: bool
  graceful:
    description:
      - Seconds that O(verb=stop) gives the guest before it pulls the plug.
    type: float
  claim:
    description:
      - Whether the operation is claimed for this playbook. If not, the service carries it out.
    type: bool
    default: true
  owner:
    description:
      - Who claims, for people who look at the operation. C(user@machine:pid) when not given.
    type: str
  wait:
    description:
      - Seconds to wait for the end of an operation that the service carries out. V(0) does not wait.
    type: int
    default: 0
  operation:
    description:
      - The operation to renew, finish or cancel.
    type: str
  epoch:
    description:
      - The claim's epoch, as RV(lease) gave it. Needed to renew and to finish.
    type: int
  result:
    description:
      - What the module that did the work returned for the operation, an item of its C(results).
    type: dict
    default: {}
  outcome:
    description:
      - How it went. Read from C(failed) in O(result) when not given.
    type: str
    choices: [succeeded, failed]
extends_documentation_fragment:
  - minicloud.libvirt.api
attributes:
  check_mode:
    support: full
    description: In check mode nothing is begun or reported; a request says what would happen.
  diff_mode:
    support: full
    description: Shows the VM's desired state before and after a request.
seealso:
  - module: minicloud.libvirt.scheduler
  - module: minicloud.libvirt.vm
"""

EXAMPLES = r"""
- name: Stop a VM and wait for it
  minicloud.libvirt.operation:
    vm: web01
    verb: stop
    claim: false
    wait: 60

- name: Claim a migration
  minicloud.libvirt.operation:
    vm: web01
    verb: migrate
    host: node2
  register: claimed

- name: Report how it went
  minicloud.libvirt.operation:
    action: finish
    operation: "{{ claimed.operation }}"
    epoch: "{{ claimed.lease.epoch }}"
    result: "{{ moved.results[0] }}"
"""

RETURN = r"""
vm:
  description: The VM as the service shows it. Null when a VM to delete was not there.
  returned: when a verb is requested
  type: dict
operation:
  description: The operation's id. Null when there was nothing to do.
  returned: success
  type: str
host:
  description: The host on which the order is to be carried out; for a migration the source.
  returned: when a verb is requested
  type: str
destination:
  description: For a claimed migration, how to reach the other host.
  returned: when a verb is requested
  type: dict
placement:
  description: For a migration that the scheduler placed, its decision.
  returned: when a verb is requested
  type: dict
order:
  description: What M(minicloud.libvirt.vm) or M(minicloud.libvirt.migration) needs. Null unless claimed.
  returned: when a verb is requested
  type: dict
connection:
  description: How to reach the host, with C(name), C(address), C(port), C(user) and C(key_file). Null unless claimed.
  returned: when a verb is requested
  type: dict
image:
  description: For a claimed migration, the image that the other host needs, as M(minicloud.libvirt.image) takes it.
  returned: when a verb is requested
  type: dict
lease:
  description: The claim, with C(epoch) and C(until). Null unless claimed.
  returned: when a verb is requested or a claim renewed
  type: dict
state:
  description: The operation's state.
  returned: when an operation is renewed, finished or cancelled, or was waited for
  type: str
error:
  description: What went wrong, with C(code), C(message) and perhaps C(hint), C(errors) and C(details).
  returned: failure
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.minicloud.libvirt.plugins.module_utils.api import (
    API_ARGUMENTS,
    ApiClient,
    ApiError,
    default_owner,
    failure_of,
    path_of,
)
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.errors import MinicloudError, NotFoundError
from ansible_collections.minicloud.libvirt.plugins.module_utils.operation import await_operation

_BESIDE = ("placement", "order", "connection", "destination", "lease")
_VERB_ARGUMENTS = ("host", "bandwidth_mib", "force", "graceful")

ARGUMENTS: dict[str, dict[str, Any]] = {
    "action": {"type": "str", "choices": ["request", "renew", "finish", "cancel"], "default": "request"},
    "vm": {"type": "str"},
    "project": {"type": "str"},
    "verb": {
        "type": "str",
        "choices": ["start", "stop", "reboot", "reset", "pause", "resume", "migrate", "delete"],
    },
    "host": {"type": "str"},
    "bandwidth_mib": {"type": "int"},
    "force": {"type": "bool"},
    "graceful": {"type": "float"},
    "claim": {"type": "bool", "default": True},
    "owner": {"type": "str"},
    "wait": {"type": "int", "default": 0},
    "operation": {"type": "str"},
    "epoch": {"type": "int"},
    "result": {"type": "dict", "default": {}},
    "outcome": {"type": "str", "choices": ["succeeded", "failed"]},
    **API_ARGUMENTS,
}


def request_verb(client: ApiClient, params: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Ask for the verb; the answer is what the module returns."""
    before = _find_vm(client, params)
    if before is None:
        return {"changed": False, "vm": None, "operation": None, "host": None, **dict.fromkeys((*_BESIDE, "image"))}
    answer = _send_verb(client, params, before["id"], dry_run=dry_run)
    result = _verb_result(before, answer)
    if params["wait"] and not params["claim"] and not dry_run and result["operation"]:
        result["state"] = await_operation(client, result["operation"], params["wait"])["state"]
    return result


def _find_vm(client: ApiClient, params: dict[str, Any]) -> dict[str, Any] | None:
    """The VM; None when it is gone and that is what is wanted."""
    try:
        return client.get(path_of("vms", params["vm"]), project=params["project"]).body
    except ApiError as error:
        if error.code == NotFoundError.code and params["verb"] == "delete":
            return None
        raise


def _send_verb(client: ApiClient, params: dict[str, Any], vm_id: str, *, dry_run: bool) -> dict[str, Any]:
    body = {key: params[key] for key in _VERB_ARGUMENTS if params[key] is not None}
    if params["claim"] and not dry_run:
        body["claim"] = params["owner"] or default_owner()
    if params["verb"] == "delete":
        return client.delete(path_of("vms", vm_id), body or None, dry_run=dry_run or None).body
    return client.post(path_of("vms", vm_id, params["verb"]), body, dry_run=dry_run or None).body


def _verb_result(before: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    vm = {key: value for key, value in answer.items() if key not in (*_BESIDE, "changed", "image_order")}
    connection = answer.get("connection")
    return {
        "changed": answer["changed"],
        "vm": vm,
        "operation": answer["operation"] if answer["changed"] else None,
        "host": connection["name"] if connection else before["host"],
        **{key: answer.get(key) for key in _BESIDE},
        "image": answer.get("image_order"),
        "diff": {
            "before": {key: before[key] for key in ("desired", "host")},
            "after": {key: vm[key] for key in ("desired", "host")},
        },
    }


def renew(client: ApiClient, params: dict[str, Any]) -> dict[str, Any]:
    """Keep the claim."""
    operation = client.post(path_of("operations", params["operation"], "lease"), {"epoch": params["epoch"]}).body
    lease = {"epoch": params["epoch"], "until": operation.get("lease_until")}
    return {"changed": True, "operation": operation["id"], "state": operation["state"], "lease": lease}


def finish(client: ApiClient, params: dict[str, Any]) -> dict[str, Any]:
    """Report the outcome."""
    outcome = params["outcome"] or ("failed" if params["result"].get("failed") else "succeeded")
    operation = client.post(
        path_of("operations", params["operation"], "result"),
        {"epoch": params["epoch"], "outcome": outcome, "result": params["result"]},
    ).body
    return {"changed": True, "operation": operation["id"], "state": operation["state"]}


def cancel(client: ApiClient, params: dict[str, Any]) -> dict[str, Any]:
    """Ask the operation to stop."""
    operation = client.post(path_of("operations", params["operation"], "cancel")).body
    return {"changed": True, "operation": operation["id"], "state": operation["state"]}


def carry_out(client: ApiClient, params: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """The one action that is asked for."""
    if params["action"] == "request":
        return request_verb(client, params, dry_run=dry_run)
    if dry_run:
        operation = client.get(path_of("operations", params["operation"])).body
        return {"changed": True, "operation": operation["id"], "state": operation["state"]}
    return {"renew": renew, "finish": finish, "cancel": cancel}[params["action"]](client, params)


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_if=[
            ("action", "request", ("vm", "verb")),
            ("action", "renew", ("operation", "epoch")),
            ("action", "finish", ("operation", "epoch")),
            ("action", "cancel", ("operation",)),
        ],
    )
    try:
        result = carry_out(ApiClient.from_options(module.params), module.params, dry_run=module.check_mode)
    except MinicloudError as error:
        module.fail_json(**failure_of(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
