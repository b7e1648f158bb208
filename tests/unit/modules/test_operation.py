"""The operation module: verbs, claims and reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]

VM = {"id": "vm-101", "name": "web01", "host": "node1", "desired": "running", "status": "running", "operation": "op-1"}
CLAIM = {
    "order": {"id": "vm-101", "state": "stopped"},
    "connection": {"name": "node1", "address": "192.0.2.11", "user": "root", "port": 22, "key_file": None},
    "lease": {"epoch": 4, "until": "2026-01-01T00:00:00Z"},
}


@pytest.fixture
def web01(service: Any) -> None:
    service.on("GET", "/v1/vms/web01", (200, VM))


@pytest.mark.usefixtures("web01")
def test_a_verb_is_claimed_and_what_it_needs_returned(service: Any, ask: Run) -> None:
    answer = {**VM, **CLAIM, "desired": "stopped", "operation": "op-2", "changed": True}
    service.on("POST", "/v1/vms/vm-101/stop", (202, answer))
    result = ask("operation", vm="web01", verb="stop", graceful=5, owner="me")
    assert service.sent("POST")[0].body == {"graceful": 5.0, "claim": "me"}
    assert result["changed"]
    assert (result["operation"], result["host"]) == ("op-2", "node1")
    assert {key: result[key] for key in CLAIM} == CLAIM
    assert result["diff"] == {
        "before": {"desired": "running", "host": "node1"},
        "after": {"desired": "stopped", "host": "node1"},
    }
    assert "order" not in result["vm"]


@pytest.mark.usefixtures("web01")
def test_a_verb_with_nothing_to_do_changes_nothing(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms/vm-101/start", (200, {**VM, "operation": None, "changed": False}))
    result = ask("operation", vm="web01", verb="start")
    assert not result["changed"]
    assert (result["operation"], result["order"], result["connection"]) == (None, None, None)


@pytest.mark.usefixtures("web01")
def test_a_migration_returns_both_ends_and_the_image(service: Any, ask: Run) -> None:
    image = {"name": "tiny", "kind": "kernel", "files": []}
    answer = {**VM, **CLAIM, "destination": {"name": "node2"}, "image": "tiny", "image_order": image, "changed": True}
    service.on("POST", "/v1/vms/vm-101/migrate", (202, answer))
    result = ask("operation", vm="web01", verb="migrate", host="node2", bandwidth_mib=100)
    assert {key: service.sent("POST")[0].body[key] for key in ("host", "bandwidth_mib")} == {
        "host": "node2",
        "bandwidth_mib": 100,
    }
    assert result["host"] == "node1"
    assert result["destination"] == {"name": "node2"}
    assert result["image"] == image
    assert result["vm"]["image"] == "tiny"


@pytest.mark.usefixtures("web01")
def test_check_mode_asks_what_would_happen(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms/vm-101/stop", (200, {**VM, "desired": "stopped", "operation": None, "changed": True}))
    result = ask("operation", vm="web01", verb="stop", check=True)
    sent = service.sent("POST")[0]
    assert sent.query == {"dry_run": "true"}
    assert "claim" not in sent.body
    assert result["changed"]
    assert result["diff"]["after"]["desired"] == "stopped"


@pytest.mark.usefixtures("web01")
def test_the_service_may_carry_it_out_while_we_wait(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms/vm-101/stop", (202, {**VM, "operation": "op-2", "changed": True}))
    service.on("GET", "/v1/operations/op-2", (200, {"id": "op-2", "kind": "vm.stop", "state": "succeeded"}))
    result = ask("operation", vm="web01", verb="stop", claim=False, wait=10)
    assert service.sent("POST")[0].body == {}
    assert result["state"] == "succeeded"


@pytest.mark.usefixtures("web01")
def test_a_delete_is_claimed_in_its_body(service: Any, ask: Run) -> None:
    service.on("DELETE", "/v1/vms/vm-101", (202, {**VM, **CLAIM, "desired": "absent", "changed": True}))
    assert ask("operation", vm="web01", verb="delete", owner="me")["changed"]
    assert service.sent("DELETE")[0].body == {"claim": "me"}


def test_deleting_what_is_not_there_changes_nothing(service: Any, ask: Run) -> None:
    result = ask("operation", vm="web09", verb="delete")
    assert not result["changed"]
    assert (result["vm"], result["operation"], result["connection"]) == (None, None, None)
    assert not service.sent("DELETE")


def test_other_verbs_on_what_is_not_there_fail(ask: Run) -> None:
    result = ask("operation", vm="web09", verb="stop")
    assert result["error"]["code"] == "minicloud.resource.not_found"


@pytest.mark.usefixtures("web01")
def test_a_busy_vm_is_told(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/vms/vm-101/stop", (409, {"code": "minicloud.vm.busy", "detail": "op-7 is under way"}))
    assert ask("operation", vm="web01", verb="stop")["error"]["code"] == "minicloud.vm.busy"


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        ({"result": {"state": "running", "failed": False}}, "succeeded"),
        ({"result": {"failed": True, "error": {"code": "x"}}}, "failed"),
        ({"result": {"failed": True}, "outcome": "succeeded"}, "succeeded"),
        ({}, "succeeded"),
    ],
)
def test_an_outcome_is_read_from_the_result(service: Any, ask: Run, arguments: dict[str, Any], outcome: str) -> None:
    service.on("POST", "/v1/operations/op-2/result", (200, {"id": "op-2", "state": outcome}))
    result = ask("operation", action="finish", operation="op-2", epoch=4, **arguments)
    body = {"epoch": 4, "outcome": outcome, "result": arguments.get("result", {})}
    assert service.sent("POST")[0].body == body
    assert result["state"] == outcome


def test_a_lost_lease_fails_the_report(service: Any, ask: Run) -> None:
    lost = {"code": "minicloud.operation.lease_lost", "detail": "another run took over"}
    service.on("POST", "/v1/operations/op-2/result", (409, lost))
    result = ask("operation", action="finish", operation="op-2", epoch=4)
    assert result["error"]["code"] == "minicloud.operation.lease_lost"


def test_a_claim_is_renewed(service: Any, ask: Run) -> None:
    renewed = {"id": "op-2", "state": "running", "lease_until": "2026-01-01T00:01:00Z"}
    service.on("POST", "/v1/operations/op-2/lease", (200, renewed))
    result = ask("operation", action="renew", operation="op-2", epoch=4)
    assert service.requests[0].body == {"epoch": 4}
    assert result["lease"] == {"epoch": 4, "until": "2026-01-01T00:01:00Z"}


@pytest.mark.parametrize("action", ["renew", "finish", "cancel"])
def test_check_mode_reports_nothing(service: Any, ask: Run, action: str) -> None:
    service.on("GET", "/v1/operations/op-2", (200, {"id": "op-2", "state": "running"}))
    result = ask("operation", action=action, operation="op-2", epoch=4, check=True)
    assert result["changed"]
    assert not service.sent("POST")


@pytest.mark.parametrize(
    "arguments", [{"vm": "web01"}, {"action": "finish", "operation": "op-2"}, {"action": "cancel"}]
)
def test_what_is_missing_is_named(ask: Run, arguments: dict[str, Any]) -> None:
    assert "missing" in ask("operation", **arguments)["msg"]
