"""The scheduler module, with a service and alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[..., dict[str, Any]]

VM = {"id": "vm-101", "name": "web01", "host": "node2", "status": "provisioning", "operation": "op-1", "cpu": 1}
DECISION = {"host": "node2", "policy": "balanced", "accepted": [], "refused": []}
CLAIM = {
    "order": {"id": "vm-101", "state": "running"},
    "connection": {"name": "node2", "address": "192.0.2.12", "user": "root", "port": 22, "key_file": "/k"},
    "lease": {"epoch": 1, "until": "2026-01-01T00:00:00Z"},
}


def test_a_vm_is_asked_for_with_only_what_was_given(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms", (202, {**VM, "changed": True, "placement": DECISION}))
    result = ask("scheduler", name="web01", ram="4G", labels={"rack": 1, "tier": "web"}, project="shop")
    sent = service.requests[0]
    assert sent.body == {"name": "web01", "ram": "4G", "labels": {"rack": "1", "tier": "web"}}
    assert sent.query == {"project": "shop"}
    assert result["changed"]
    assert (result["host"], result["operation"], result["vm"]) == ("node2", "op-1", VM)
    assert result["placement"] == DECISION
    assert (result["order"], result["connection"], result["lease"]) == (None, None, None)
    assert result["diff"] == {"before": {}, "after": VM}


def test_a_claim_returns_what_a_playbook_needs(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms", (202, {**VM, **CLAIM, "changed": True, "placement": DECISION}))
    result = ask("scheduler", name="web01", claim=True, owner="me@here", wait=60)
    assert service.requests[0].body == {"name": "web01", "claim": "me@here"}
    assert {key: result[key] for key in CLAIM} == CLAIM
    # What is claimed is this playbook's to carry out: waiting for it would wait for oneself.
    assert len(service.requests) == 1


def test_a_claim_names_its_owner_by_itself(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms", (202, {**VM, **CLAIM, "changed": True}))
    ask("scheduler", name="web01", claim=True)
    user, separator, rest = service.requests[0].body["claim"].partition("@")
    assert user
    assert separator
    assert rest.rpartition(":")[2].isdigit()


def test_a_vm_that_is_there_already_changes_nothing(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms", (200, {**VM, "status": "running", "operation": None, "changed": False}))
    result = ask("scheduler", name="web01", claim=True)
    assert not result["changed"]
    assert result["lease"] is None
    assert result["diff"]["before"] == result["diff"]["after"]


def test_check_mode_is_a_dry_run_that_claims_nothing(service: Any, ask: Run) -> None:
    dry = {**VM, "id": "", "operation": None, "changed": True, "placement": DECISION}
    service.on("POST", "/v1/vms", (200, dry))
    result = ask("scheduler", name="web01", claim=True, wait=60, check=True)
    assert [(request.method, request.query) for request in service.requests] == [("POST", {"dry_run": "true"})]
    assert "claim" not in service.requests[0].body
    assert result["changed"]
    assert result["placement"] == DECISION


def test_waiting_ends_with_the_vm_as_it_is_then(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms", (202, {**VM, "changed": True}))
    operation = {"id": "op-1", "kind": "vm.create", "state": "running", "error": None}
    service.on("GET", "/v1/operations/op-1", (200, operation), (200, {**operation, "state": "succeeded"}))
    service.on("GET", "/v1/vms/vm-101", (200, {**VM, "status": "running"}))
    result = ask("scheduler", name="web01", wait=30)
    assert result["changed"]
    assert result["vm"]["status"] == "running"


def test_a_create_that_fails_is_told_with_its_own_error(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms", (202, {**VM, "changed": True}))
    error = {"code": "minicloud.image.unusable", "message": "the image is damaged", "hint": "register it again"}
    service.on(
        "GET", "/v1/operations/op-1", (200, {"id": "op-1", "kind": "vm.create", "state": "failed", "error": error})
    )
    result = ask("scheduler", name="web01", wait=30)
    assert result["error"]["code"] == "minicloud.image.unusable"
    assert result["msg"] == ("operation op-1 (vm.create) failed: the image is damaged. Hint: register it again")


def test_a_wait_that_is_too_short_says_that_the_work_goes_on(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms", (202, {**VM, "changed": True}))
    service.on("GET", "/v1/operations/op-1", (200, {"id": "op-1", "kind": "vm.create", "state": "running"}))
    result = ask("scheduler", name="web01", wait=1)
    assert result["error"]["code"] == "minicloud.client.wait_timeout"
    assert "still running after 1 s; it goes on by itself" in result["msg"]


def test_no_capacity_comes_with_each_hosts_reason(service: Any, ask: Run) -> None:
    details = {"hosts": {"node1": [{"rule": "memory", "message": "full", "numbers": {}}]}}
    refusal = {"code": "minicloud.host.no_capacity", "detail": "No host can take it", "details": details}
    service.on("POST", "/v1/vms", (409, refusal))
    result = ask("scheduler", name="web01", ram="1T")
    assert result["failed"]
    assert result["error"]["details"] == details


FLEET = {
    "hosts": [
        {"id": "node1", "cpu": 8, "ram": "16G"},
        {"id": "node2", "cpu": 8, "ram": "16G", "cordoned": True},
        {"id": "node3", "cpu": 8, "ram": "16G"},
    ],
    "vms": [{"id": "db", "host": "node1", "cpu": 4, "ram": "8G"}],
}


def test_given_hosts_it_decides_alone(run_module: Run) -> None:
    result = run_module("scheduler", url="http://127.0.0.1:9", cpu=2, ram="2G", **FLEET)
    assert not result["changed"]
    assert result["host"] == "node3"
    assert [refusal["host"] for refusal in result["placement"]["refused"]] == ["node2"]
    assert "cordon: the host is cordoned" in result["table"]


def test_alone_it_decides_the_same_in_check_mode(run_module: Run) -> None:
    arguments = {"cpu": 2, "ram": "2G", "disks": [], "exclude": ["node3"], **FLEET}
    assert run_module("scheduler", **arguments)["host"] == "node1"
    assert run_module("scheduler", check=True, **arguments)["host"] == "node1"


def test_alone_it_counts_disks_and_honours_a_host(run_module: Run) -> None:
    hosts = [{"id": "a", "cpu": 8, "ram": "8G", "disk": "20G"}, {"id": "b", "cpu": 8, "ram": "8G", "disk": "5G"}]
    assert run_module("scheduler", hosts=hosts, disks=["10G"])["host"] == "a"
    assert run_module("scheduler", hosts=hosts, disks=[{"size": 4}, "1G"], host="b")["host"] == "b"
    refused = run_module("scheduler", hosts=hosts, disks=[6], host="b")
    assert refused["error"]["code"] == "minicloud.host.no_capacity"
    assert [reason["rule"] for reason in refused["error"]["details"]["hosts"]["b"]] == ["disk"]


def test_alone_it_names_what_is_wrong_with_the_fleet(run_module: Run) -> None:
    result = run_module("scheduler", hosts=[{"id": "a", "cpu": "many", "ram": "8G", "colour": "red"}])
    fields = {item["field"] for item in result["error"]["errors"]}
    assert fields == {"hosts.0.cpu", "hosts.0.colour"}
    unknown = run_module("scheduler", hosts=[], policy="best")
    assert unknown["error"]["errors"][0]["field"] == "policy"


def test_either_a_name_or_hosts_are_needed(run_module: Run) -> None:
    assert "name, hosts" in run_module("scheduler", cpu=1)["msg"]
    assert run_module("scheduler", name="x", hosts=[], claim=True)["failed"]


def test_what_is_asked_of_the_place_goes_to_the_service_as_it_was_said(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms", (202, {**VM, "changed": True, "placement": DECISION}))
    ask("scheduler", name="web01", scheduling={"host_labels": {"rack": 1}, "spread": ["rack"], "group": "db"})
    assert service.requests[0].body == {
        "name": "web01",
        "scheduling": {"host_labels": {"rack": "1"}, "spread": ["rack"], "group": "db"},
    }


def test_alone_it_refuses_what_is_wrong_by_its_path(run_module: Run) -> None:
    hosts = [{"id": "a", "cpu": 8, "ram": "16G"}]
    result = run_module("scheduler", hosts=hosts, scheduling={"affinity": ["db1"]})
    assert result["failed"]
    assert [problem["field"] for problem in result["error"]["errors"]] == ["scheduling.affinity.0"]


def test_alone_it_keeps_what_is_asked_of_the_place(run_module: Run) -> None:
    hosts = [{"id": "a", "cpu": 8, "ram": "16G"}, {"id": "b", "cpu": 8, "ram": "16G", "labels": {"disk": "nvme"}}]
    vms = [{"id": "db1", "host": "b", "cpu": 1, "ram": "1G", "labels": {"tier": "db"}}]
    asked = {
        "b": {"affinity": ["vm:db1"]},
        "a": {"anti_affinity": ["tier=db"]},
    }
    for host, scheduling in asked.items():
        assert run_module("scheduler", hosts=hosts, vms=vms, scheduling=scheduling)["host"] == host
    assert run_module("scheduler", hosts=hosts, scheduling={"host_labels": {"disk": "nvme"}})["host"] == "b"


ROOM = {"id": "rsv-1", "name": "db01", "state": "held", "host": "node2", "expires_at": "2026-01-01T00:10:00Z"}


def test_room_is_held_instead_of_making_a_vm(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/reservations", (201, {**ROOM, "decision": DECISION, "changed": True}))
    result = ask("scheduler", name="db01", ram="8G", labels={"rack": 1}, reserve=True, ttl=600, project="shop")
    (sent,) = service.requests
    assert sent.body == {"name": "db01", "ram": "8G", "labels": {"rack": "1"}, "ttl": 600}
    assert sent.query == {"project": "shop"}
    assert (result["changed"], result["reservation"], result["host"]) == (True, ROOM, "node2")
    assert result["placement"] == DECISION
    assert result["diff"] == {"before": {}, "after": ROOM}


def test_room_needs_no_name(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/reservations", (201, {**ROOM, "name": None, "decision": DECISION, "changed": True}))
    assert ask("scheduler", reserve=True)["reservation"]["id"] == "rsv-1"
    assert service.requests[0].body == {}


def test_room_that_is_held_already_changes_nothing(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/reservations", (200, {**ROOM, "decision": DECISION, "changed": False}))
    result = ask("scheduler", name="db01", reserve=True)
    assert not result["changed"]
    assert result["diff"] == {"before": ROOM, "after": ROOM}


def test_check_mode_holds_nothing(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/reservations", (200, {**ROOM, "id": "", "decision": DECISION, "changed": True}))
    assert ask("scheduler", name="db01", reserve=True, check=True)["changed"]
    assert service.requests[0].query == {"dry_run": "true"}


def test_a_vm_is_asked_for_in_the_room_that_is_held(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms", (202, {**VM, "changed": True, "placement": DECISION}))
    ask("scheduler", name="db01", reservation="rsv-1")
    assert service.requests[0].body == {"name": "db01", "reservation": "rsv-1"}


def test_what_makes_no_sense_together_is_refused(run_module: Run) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"name": "a", "ttl": 60}, "nothing is held without reserve"),
        ({"name": "a", "reserve": True, "claim": True}, "claim: not with reserve"),
        ({"name": "a", "reserve": True, "reservation": "rsv-1"}, "reservation: not with reserve"),
        ({"reserve": True, **FLEET}, "hosts: not with reserve"),
        ({}, "name, hosts"),
    ]
    for arguments, words in wrong:
        result = run_module("scheduler", url="http://127.0.0.1:9", **arguments)
        assert result["failed"]
        assert words in result["msg"], result["msg"]
