"""How modules speak to the service, seen through the smallest of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

TOKEN = "a-token-of-this-test"
OPERATION = {"id": "op-1", "state": "cancelled"}
Run = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Tries follow each other at once; the pauses there would have been are kept."""
    pauses: list[float] = []
    module = importlib.import_module("ansible_collections.minicloud.libvirt.plugins.modules.operation")
    original = module.ApiClient.from_options
    patient = staticmethod(lambda options: replace(original(options), sleep=pauses.append))
    monkeypatch.setattr(module.ApiClient, "from_options", patient)
    return pauses


def cancel(run: Run, **arguments: Any) -> dict[str, Any]:
    return run("operation", action="cancel", operation="op-1", **arguments)


def test_a_broken_connection_is_tried_again_under_one_key(service: Any, ask: Run, no_pauses: list[float]) -> None:
    service.on("POST", "/v1/operations/op-1/cancel", (200, OPERATION))
    service.breaks = 2
    assert cancel(ask)["state"] == "cancelled"
    keys = {request.headers["Idempotency-Key"] for request in service.requests}
    assert len(service.requests) == 3
    assert len(keys) == 1
    assert no_pauses == [0.2, 0.4]


def test_two_calls_have_two_keys(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/operations/op-1/cancel", (200, OPERATION))
    cancel(ask)
    cancel(ask)
    assert len({request.headers["Idempotency-Key"] for request in service.requests}) == 2


def test_tries_are_bounded(service: Any, ask: Run) -> None:
    service.breaks = 99
    result = cancel(ask)
    assert result["failed"]
    assert result["error"]["code"] == "minicloud.client.unreachable"
    assert len(service.requests) == 4


def test_nobody_listening_says_where_and_what_to_do(run_module: Run) -> None:
    result = cancel(run_module, url="http://127.0.0.1:9", token=TOKEN)
    assert result["failed"]
    assert "http://127.0.0.1:9 does not answer" in result["msg"]
    assert "minicloud serve" in result["msg"]


def test_a_busy_service_is_asked_again(service: Any, ask: Run) -> None:
    busy = (503, {"code": "minicloud.service.unavailable", "detail": "starting"})
    service.on("POST", "/v1/operations/op-1/cancel", busy, (200, OPERATION))
    assert cancel(ask)["state"] == "cancelled"


def test_a_refusal_is_not_tried_again_and_keeps_all_that_was_said(service: Any, ask: Run) -> None:
    refusal = {
        "code": "minicloud.input.invalid",
        "detail": "the request is not valid",
        "hint": "ask for less",
        "errors": [{"field": "cpu", "message": "-1 is too few", "allowed": "1 to 512"}],
        "details": {"limit": 512},
    }
    service.on("POST", "/v1/operations/op-1/cancel", (422, refusal))
    result = cancel(ask)
    assert len(service.requests) == 1
    assert result["msg"] == ("the request is not valid. cpu: -1 is too few (allowed: 1 to 512). Hint: ask for less")
    assert result["error"] == {
        "code": "minicloud.input.invalid",
        "message": "the request is not valid",
        "hint": "ask for less",
        "details": {"limit": 512},
        "errors": refusal["errors"],
    }


def test_something_that_is_not_minicloud_is_told_apart(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/operations/op-1/cancel", (200, ["a", "list"]))  # type: ignore[arg-type]
    assert "not an object" in cancel(ask)["msg"]


def test_a_redirect_is_not_followed_with_the_token(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/operations/op-1/cancel", (307, {"detail": "go elsewhere"}))
    assert cancel(ask)["failed"]
    assert len(service.requests) == 1


def test_the_token_is_read_from_where_it_is(
    service: Any, run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.on("POST", "/v1/operations/op-1/cancel", (200, OPERATION))
    file = tmp_path / "file"
    file.write_text(f"{TOKEN}\n")
    assert "state" in cancel(run_module, url=service.url, token_file=str(file))
    monkeypatch.setenv("MINICLOUD_URL", service.url)
    assert "valid token" in cancel(run_module)["msg"]
    monkeypatch.setenv("MINICLOUD_TOKEN_FILE", str(file))
    assert "state" in cancel(run_module)
    monkeypatch.setenv("MINICLOUD_TOKEN", "wrong")
    assert "valid token" in cancel(run_module)["msg"]
    assert "state" in cancel(run_module, token_file=str(file))


def test_the_state_directorys_token_is_for_this_machine_alone(
    service: Any, run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setenv("MINICLOUD_STATE_DIR", str(tmp_path))
    service.on("POST", "/v1/operations/op-1/cancel", (200, OPERATION))
    assert "state" in cancel(run_module, url=service.url)
    api = importlib.import_module("ansible_collections.minicloud.libvirt.plugins.module_utils.api")
    assert api.read_token({"url": "https://cloud.example.com"}, {"MINICLOUD_STATE_DIR": str(tmp_path)}) == ""


def test_a_token_file_that_is_not_there_is_named(run_module: Run, tmp_path: Path) -> None:
    result = cancel(run_module, token_file=str(tmp_path / "missing"))
    assert result["error"]["code"] == "minicloud.client.token_file"
    assert str(tmp_path / "missing") in result["msg"]


def test_the_token_is_never_shown(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/operations/op-1/cancel", (409, {"code": "x", "detail": f"no {TOKEN} here"}))
    result = cancel(ask)
    assert TOKEN not in str(result)
    assert result["failed"]


def test_a_name_cannot_leave_its_path(service: Any, ask: Run) -> None:
    result = ask("operation", action="cancel", operation="../vms/vm-1?x=")
    assert result["failed"]
    assert service.requests[0].path == "/v1/operations/..%2Fvms%2Fvm-1%3Fx%3D/cancel"
