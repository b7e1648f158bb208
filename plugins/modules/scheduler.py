#!/usr/bin/python
# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find a host for a VM."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scheduler
short_description: Find a host for a VM
version_added: 0.1.0
author:
  - The minicloud authors (@minicloud)
description:
  - Asks the service for a VM. The service chooses a host, reserves the VM's share there and writes the operation that
    makes the VM, all in one transaction.
  - With O(claim) the operation is claimed as well, so that the playbook carries it out instead of the service. If the
    playbook dies, the claim runs out and the service finishes the job.
  - With O(reserve) no VM is made. The share is held for O(ttl) seconds, for a VM that is created with O(reservation).
  - With O(hosts) no service is asked. The same scheduler decides on the hosts given, and nothing is reserved.
requirements:
  - NumPy, where O(hosts) are given
options:
  name:
    description:
      - The VM's name. Needed unless O(hosts) or O(reserve) is given.
      - With O(reserve) it is the reservation's. One of that name that is held for the same is kept as it is.
    type: str
  cpu:
    description:
      - Virtual CPUs.
      - The service has a default. With O(hosts) it is V(1).
    type: int
  ram:
    description:
      - Memory, such as V(4G). A bare number counts MiB.
      - The service has a default. With O(hosts) it is V(512).
    type: str
  image:
    description:
      - What the VM boots from.
    type: str
  disks:
    description:
      - Disks, each a size such as V(10G) or a mapping with C(size) and C(pool). A bare number counts GiB.
    type: list
    elements: raw
  nics:
    description:
      - Network cards, each a network's name or a mapping with C(network) and C(model).
    type: list
    elements: raw
  cloud_init:
    description:
      - What cloud-init is given, with C(user_data), C(ssh_keys) or C(network_config). Texts are passed on as they are.
    type: dict
  labels:
    description:
      - Labels of the VM.
    type: dict
  host:
    description:
      - The only host that will do.
    type: str
  scheduling:
    description:
      - What is asked of the VM's place.
      - Other VMs are named by terms, which are C(vm:NAME) or C(vm:ID), C(group:NAME), and C(KEY=VALUE) for VMs that
        carry that label. They are VMs of the same project.
      - A term alone speaks of one host, with C(@) and a label of hosts of a failure domain, such as V(group:db@rack).
    type: dict
    suboptions:
      host_labels:
        description: Labels that the host must have, all of them.
        type: dict
      group:
        description: The group that the VM belongs to.
        type: str
      affinity:
        description: For each of these terms, one of its VMs must be on the host, or in its failure domain.
        type: list
        elements: str
      anti_affinity:
        description: None of the VMs of these terms may be on the host, or in its failure domain.
        type: list
        elements: str
      prefer_with:
        description: Rather on a host with VMs of these terms.
        type: list
        elements: str
      prefer_apart:
        description: Rather on a host without VMs of these terms.
        type: list
        elements: str
      spread:
        description:
          - How many of its kind may share a failure domain, each a label of hosts such as V(rack), V(host) for the
            host itself, or a mapping with C(by), C(at_most) (1 if not set) and C(label).
          - Counted are the VMs of the same O(scheduling.group), or with C(label) those with its value of that label.
        type: list
        elements: raw
      priority:
        description:
          - VMs of a lower priority may have to make room for it. From V(-1000) to V(1000), V(0) if not set.
          - The service also takes the name of a priority class of its policy, such as V(critical).
        type: str
      pinned:
        description: Whether each of its virtual CPUs has a thread of the host for itself, and no planner moves it.
        type: bool
      cpu_features:
        description: Features that the host's CPU must have, such as V(avx2).
        type: list
        elements: str
      bandwidth_mbps:
        description: Network bandwidth that is kept for it, in Mbit/s.
        type: int
      machine:
        description:
          - The machine type that it is given, V(q35), V(pc), V(virt), V(pseries), V(s390-ccw-virtio), or a version of
            one such as C(pc-q35-7.2).
        type: str
      numa:
        description:
          - Over how many of the host's NUMA nodes it lies, in equal parts, which the guest sees as its own. From V(0),
            which it is if not set, to V(8). No reservation has any.
        type: int
      huge_pages:
        description: Whether its memory comes from the huge pages of 2 MiB that the host has set aside.
        type: bool
  project:
    description:
      - The project that the VM belongs to. The token's own when not given.
    type: str
  claim:
    description:
      - Whether the operation is claimed for this playbook.
      - A VM for which others have to make room is left to the service, which waits for them; RV(lease) is null then.
    type: bool
    default: false
  reserve:
    description:
      - Whether room is held for the VM instead of making it.
    type: bool
    default: false
  ttl:
    description:
      - For how many seconds the room is held. The service has a default. Only with O(reserve).
    type: int
  reservation:
    description:
      - The id of a reservation, as RV(reservation.id) returned it. The VM goes to its host and has its room.
    type: str
  owner:
    description:
      - Who claims, for people who look at the operation. C(user@machine:pid) when not given.
    type: str
  wait:
    description:
      - Seconds to wait until the VM runs, when the service makes it. V(0) does not wait.
    type: int
    default: 0
  hosts:
    description:
      - Decide among these hosts, without a service.
      - Each has C(id), C(cpu) and C(ram), and may have C(disk), C(numa) (nodes with C(cpu), C(ram) and C(huge_pages)),
        C(state), C(cordoned), C(labels), C(cpu_overcommit) and C(ram_reserved), C(huge_pages), C(pools) (sizes by
        name) and C(bandwidth_mbps), C(architecture), C(machines), C(cpu_features), C(networks), C(images),
        C(reachable_images) and C(reachable_volumes), C(dedicated) (projects), C(failures) (Unix seconds) and C(power)
        (C(idle_w) and C(max_w)).
      - C(load) is from 0 to 1, or a mapping with some of C(cpu), C(memory), C(disk), C(network), C(pressure),
        C(io_latency_ms) and C(at) (Unix seconds).
    type: list
    elements: dict
  vms:
    description:
      - VMs that are on O(hosts) already, each with C(id), C(host), C(cpu), C(ram) and perhaps C(disk) and C(numa)
        (over how many nodes it lies).
    type: list
    elements: dict
    default: []
  exclude:
    description:
      - Names of hosts that will not do. Only with O(hosts).
    type: list
    elements: str
    default: []
  policy:
    description:
      - The policy by which to decide. Only with O(hosts); the service has its own.
    type: str
    default: balanced
extends_documentation_fragment:
  - minicloud.libvirt.api
attributes:
  check_mode:
    support: full
    description: In check mode nothing is reserved; the answer says where the VM, or the reservation, would go and why.
  diff_mode:
    support: full
    description: Shows the VM that is made, or the reservation.
seealso:
  - module: minicloud.libvirt.operation
  - module: minicloud.libvirt.vm
"""

EXAMPLES = r"""
- name: Ask for a VM and wait until it runs
  minicloud.libvirt.scheduler:
    name: web01
    cpu: 2
    ram: 4G
    wait: 60

- name: Ask for a VM that this playbook makes by itself
  minicloud.libvirt.scheduler:
    name: web02
    claim: true
  register: created

- name: Hold room for a VM for ten minutes
  minicloud.libvirt.scheduler:
    name: db01
    ram: 8G
    reserve: true
    ttl: 600
  register: held

- name: Create the VM in that room
  minicloud.libvirt.scheduler:
    name: db01
    ram: 8G
    reservation: "{{ held.reservation.id }}"

- name: Say where a VM would go, and why
  minicloud.libvirt.scheduler:
    name: web03
    ram: 16G
  check_mode: true
  register: dry_run

- name: Ask for one of three databases, each in another rack
  minicloud.libvirt.scheduler:
    name: db01
    ram: 8G
    scheduling:
      group: db
      spread: [rack]
      host_labels: {disk: nvme}

- name: Choose among hosts that no service knows
  minicloud.libvirt.scheduler:
    cpu: 2
    ram: 2G
    hosts:
      - {id: node1, cpu: 8, ram: 16G}
      - {id: node2, cpu: 8, ram: 16G, cordoned: true}
    vms:
      - {id: db, host: node1, cpu: 4, ram: 8G}
  register: choice
"""

RETURN = r"""
host:
  description: The host chosen.
  returned: success
  type: str
  sample: node2
placement:
  description:
    - The decision, with the score of each host that would do and the reasons of each that refused.
    - With O(reserve), outside of check mode, of the best three hosts alone, and of the others how many there were.
  returned: success
  type: dict
  sample:
    host: node2
    policy: balanced
    policy_version: 149e55eec837
    accepted:
      - host: node2
        score: 0.81
        parts:
          - {scorer: free_cpu, value: 0.875, weight: 1.0}
    refused:
      - host: node1
        reasons:
          - {rule: cordon, message: the host is cordoned, numbers: {}}
table:
  description: The decision as a table for people.
  returned: when O(hosts) is given
  type: str
vm:
  description: The VM as the service shows it.
  returned: when the service was asked for a VM
  type: dict
reservation:
  description: The reservation as the service shows it.
  returned: with O(reserve)
  type: dict
  contains:
    id:
      description: What O(reservation) takes. Empty in check mode.
      type: str
    name:
      description: The name that was given. Null when none was.
      type: str
    state:
      description: V(held) until the time is over.
      type: str
    host:
      description: Where the room is.
      type: str
    expires_at:
      description: When the time is over, in RFC 3339.
      type: str
  sample:
    id: rsv-06gvrui600sb9pii9mjv
    name: db01
    state: held
    host: node2
    expires_at: "2026-11-21T12:10:00Z"
operation:
  description: The operation that makes the VM. Null when the VM was there already.
  returned: when the service was asked for a VM
  type: str
order:
  description: What M(minicloud.libvirt.vm) needs to make the VM. Null unless the operation was claimed.
  returned: when the service was asked for a VM
  type: dict
connection:
  description: How to reach the host, with C(address), C(port), C(user) and C(key_file). Null unless claimed.
  returned: when the service was asked for a VM
  type: dict
lease:
  description: The claim, with C(epoch) and C(until). Null unless claimed.
  returned: when the service was asked for a VM
  type: dict
error:
  description: What went wrong, with C(code), C(message) and perhaps C(hint), C(errors) and C(details).
  returned: failure
  type: dict
"""

import time
from collections.abc import Iterable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.minicloud.libvirt.plugins.module_utils.api import (
    API_ARGUMENTS,
    ApiClient,
    as_labels,
    default_owner,
    failure_of,
    path_of,
)
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.errors import (
    InputError,
    MinicloudError,
    Problem,
)
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.scheduling import read_scheduling
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.units import GIB, parse_bytes, parse_mib
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.vm import DEFAULT_CPU, DEFAULT_RAM_MIB
from ansible_collections.minicloud.libvirt.plugins.module_utils.operation import await_operation
from ansible_collections.minicloud.libvirt.plugins.module_utils.scheduler.document import read_fleet
from ansible_collections.minicloud.libvirt.plugins.module_utils.scheduler.pipeline import place
from ansible_collections.minicloud.libvirt.plugins.module_utils.scheduler.policy import policy_named
from ansible_collections.minicloud.libvirt.plugins.module_utils.scheduler.request import DEFAULT_PROJECT, Request
from ansible_collections.minicloud.libvirt.plugins.module_utils.scheduler.table import render
from ansible_collections.minicloud.libvirt.plugins.module_utils.scheduler.vm_request import (
    check_scheduling,
    with_scheduling,
)

_SPEC = ("name", "cpu", "ram", "image", "disks", "nics", "cloud_init", "labels", "host")

_TERMS: dict[str, Any] = {"type": "list", "elements": "str"}
SCHEDULING: dict[str, dict[str, Any]] = {
    "host_labels": {"type": "dict"},
    "group": {"type": "str"},
    "affinity": _TERMS,
    "anti_affinity": _TERMS,
    "prefer_with": _TERMS,
    "prefer_apart": _TERMS,
    "spread": {"type": "list", "elements": "raw"},
    "priority": {"type": "str"},
    "pinned": {"type": "bool"},
    "cpu_features": _TERMS,
    "bandwidth_mbps": {"type": "int"},
    "machine": {"type": "str"},
    "numa": {"type": "int"},
    "huge_pages": {"type": "bool"},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "cpu": {"type": "int"},
    "ram": {"type": "str"},
    "image": {"type": "str"},
    "disks": {"type": "list", "elements": "raw"},
    "nics": {"type": "list", "elements": "raw"},
    "cloud_init": {"type": "dict"},
    "labels": {"type": "dict"},
    "host": {"type": "str"},
    "scheduling": {"type": "dict", "options": SCHEDULING},
    "project": {"type": "str"},
    "claim": {"type": "bool", "default": False},
    "reserve": {"type": "bool", "default": False},
    "ttl": {"type": "int"},
    "reservation": {"type": "str"},
    "owner": {"type": "str"},
    "wait": {"type": "int", "default": 0},
    "hosts": {"type": "list", "elements": "dict"},
    "vms": {"type": "list", "elements": "dict", "default": []},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "policy": {"type": "str", "default": "balanced"},
    **API_ARGUMENTS,
}


def check(params: dict[str, Any]) -> None:
    """Refuse what makes no sense together.

    :raises InputError: naming each such option.
    """
    beside = [name for name in ("hosts", "claim", "reservation") if params["reserve"] and params[name]]
    problems = [Problem(name, "not with reserve", "leave one of them out") for name in beside]
    if params["ttl"] is not None and not params["reserve"]:
        problems.append(Problem("ttl", "nothing is held without reserve", "reserve: true"))
    if problems:
        raise InputError(problems)


def decide_alone(params: dict[str, Any], now: float) -> dict[str, Any]:
    """Place on the hosts given.

    :raises NoCapacityError: when none will do, with each host's reasons.
    """
    decision = place(
        read_fleet(params["hosts"], params["vms"], at=now), _request(params), policy_named(params["policy"]), now=now
    )
    if decision.host is None:
        raise decision.no_capacity()
    return {"changed": False, "host": decision.host, "placement": decision.to_mapping(), "table": render(decision)}


def _request(params: dict[str, Any]) -> Request:
    sizes = [disk.get("size") if isinstance(disk, dict) else disk for disk in params["disks"] or []]
    labels = as_labels(params["labels"] or {})
    asked = read_scheduling(_scheduling(params))
    request = Request(
        cpu=DEFAULT_CPU if params["cpu"] is None else params["cpu"],
        ram_mib=DEFAULT_RAM_MIB if params["ram"] is None else parse_mib(params["ram"], field="ram"),
        disk_bytes=sum(parse_bytes(size, field=f"disks.{n}.size", unit=GIB) for n, size in enumerate(sizes)),
        host=params["host"],
        labels=labels,
        exclude=frozenset(params["exclude"]),
        project=params["project"] or DEFAULT_PROJECT,
    )
    request = with_scheduling(request, asked, {str(vm["id"]): str(vm["id"]) for vm in params["vms"] if "id" in vm})
    check_scheduling(request)
    return request


def _scheduling(params: dict[str, Any]) -> dict[str, Any]:
    """What was said of the VM's place; Ansible fills in None for what was not."""
    said = {key: value for key, value in (params["scheduling"] or {}).items() if value is not None}
    if "host_labels" in said:
        said["host_labels"] = as_labels(said["host_labels"])
    if "priority" in said:
        said["priority"] = _priority(said["priority"])
    return said


def _priority(word: str) -> int | str:
    """A number, or else the name of a class: Ansible hands both over as text."""
    try:
        return int(word)
    except ValueError:
        return word


def _body(params: dict[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """What was said, as the service takes it."""
    body = {key: params[key] for key in fields if params[key] is not None}
    scheduling = _scheduling(params)
    if scheduling:
        body["scheduling"] = scheduling
    if "labels" in body:
        body["labels"] = as_labels(body["labels"])
    return body


def reserve(client: ApiClient, params: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Have room held by the service, or learn where it would be."""
    body = _body(params, (*_SPEC, "ttl"))
    answer = client.post("/v1/reservations", body, project=params["project"], dry_run=dry_run or None).body
    room = {key: value for key, value in answer.items() if key not in ("changed", "decision")}
    return {
        "changed": answer["changed"],
        "reservation": room,
        "host": room["host"],
        "placement": answer["decision"],
        "diff": {"before": {} if answer["changed"] else room, "after": room},
    }


def ask_service(client: ApiClient, params: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Create the VM through the service, or learn what creating it would do."""
    body = _body(params, (*_SPEC, "reservation"))
    if params["claim"] and not dry_run:
        body["claim"] = params["owner"] or default_owner()
    answer = client.post("/v1/vms", body, project=params["project"], dry_run=dry_run or None).body
    if params["wait"] and not dry_run and not params["claim"] and answer["operation"]:
        await_operation(client, answer["operation"], params["wait"])
        answer = {**answer, **client.get(path_of("vms", answer["id"])).body}
    return result_of(answer)


def result_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The service's answer to a create as this module returns it."""
    beside = ("changed", "placement", "order", "connection", "destination", "lease")
    vm = {key: value for key, value in answer.items() if key not in beside}
    return {
        "changed": answer["changed"],
        "vm": vm,
        "host": answer["host"],
        "operation": answer["operation"],
        **{key: answer.get(key) for key in ("placement", "order", "connection", "lease")},
        "diff": {"before": {} if answer["changed"] else vm, "after": vm},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_if=[("reserve", False, ("name", "hosts"), True)],
        mutually_exclusive=[("claim", "hosts"), ("hosts", "reservation")],
    )
    try:
        check(module.params)
        if module.params["hosts"] is not None:
            result = decide_alone(module.params, time.time())
        elif module.params["reserve"]:
            result = reserve(ApiClient.from_options(module.params), module.params, dry_run=module.check_mode)
        else:
            result = ask_service(ApiClient.from_options(module.params), module.params, dry_run=module.check_mode)
    except MinicloudError as error:
        module.fail_json(**failure_of(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
