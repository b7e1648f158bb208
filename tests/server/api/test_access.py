"""Who gets in, and what everybody gets told who does not."""

from __future__ import annotations

import json
import re
import socket
import time

import httpx
import pytest
from minicloud.api.body import BODY_LIMIT
from minicloud.api.call import read_wait
from minicloud.api.middleware import choose_request_id
from minicloud.api.routes import ROUTES
from minicloud.services import token
from minicloud.services.context import SYSTEM

from .conftest import Cloud, refused


def test_every_route_but_the_public_ones_wants_a_token(cloud: Cloud) -> None:
    for route in ROUTES:
        path = re.sub(r"\{\w+\}", "x", route.path)
        response = cloud.call(route.method, path, who="")
        if route.public:
            assert response.status_code != 401, path
        else:
            refused(response, 401, "minicloud.auth.unauthenticated")
            assert response.headers["www-authenticate"].startswith("Bearer")


def test_what_is_no_token_is_refused(cloud: Cloud) -> None:
    for header in (b"Bearer", b"Bearer wrong", b"Bearer mc_0000000000_0", b"Basic YWRtaW46YWRtaW4=", b"Bearer \xe4"):
        response = cloud.http.get("/v1/vms", headers={b"Authorization": header})
        refused(response, 401, "minicloud.auth.unauthenticated")


def test_the_scheme_is_read_in_any_case(cloud: Cloud) -> None:
    response = cloud.call("GET", "/v1/vms", who="", headers={"Authorization": f"bearer {cloud.tokens['viewer']}"})
    assert response.status_code == 200


def test_a_viewer_reads_and_does_not_write(cloud: Cloud) -> None:
    cloud.running()
    before = cloud.rows()
    assert cloud.get("/v1/vms/web01", who="viewer")["name"] == "web01"
    for method, path, body in (
        ("POST", "/v1/vms", {"name": "web02"}),
        ("POST", "/v1/vms/web01/stop", {}),
        ("POST", "/v1/vms/web01/migrate", {}),
        ("DELETE", "/v1/vms/web01", None),
    ):
        refused(cloud.call(method, path, body, who="viewer"), 403, "minicloud.auth.forbidden")
    assert cloud.rows() == before


def test_another_projects_vm_does_not_exist(cloud: Cloud) -> None:
    vm = cloud.running()
    before = cloud.rows()
    operation = vm["operation"]
    for method, path in (
        ("GET", "/v1/vms/web01"),
        ("GET", f"/v1/vms/{vm['id']}"),
        ("POST", f"/v1/vms/{vm['id']}/stop"),
        ("DELETE", f"/v1/vms/{vm['id']}"),
        ("GET", f"/v1/vms/{vm['id']}/console"),
        ("GET", f"/v1/vms/{vm['id']}/placement"),
        ("GET", f"/v1/operations/{operation}"),
        ("GET", f"/v1/operations/{operation}/log"),
        ("POST", f"/v1/operations/{operation}/cancel"),
        ("GET", f"/v1/events?vm={vm['id']}"),
        ("GET", f"/v1/events?operation={operation}"),
    ):
        refused(cloud.call(method, path, who="blue"), 404, "minicloud.resource.not_found")
    assert cloud.get("/v1/vms", who="blue")["items"] == []
    assert cloud.get("/v1/operations", who="blue")["items"] == []
    assert cloud.get("/v1/inventory", who="blue")["vms"] == []
    assert cloud.rows() == before


def test_administration_is_for_administrators(cloud: Cloud) -> None:
    before = cloud.rows()
    for method, path, body in (
        ("POST", "/v1/hosts", {"name": "node9", "address": "10.0.0.9"}),
        ("DELETE", "/v1/hosts/node1", None),
        ("POST", "/v1/hosts/node1/cordon", {}),
        ("POST", "/v1/hosts/node1/fence", {}),
        ("GET", "/v1/hosts/node1/domains", None),
        ("POST", "/v1/images", {"name": "x", "kind": "kernel", "files": [{"role": "kernel", "path": "/etc/passwd"}]}),
        ("DELETE", "/v1/images/tiny", None),
        ("POST", "/v1/certificates", {"host": "node1", "csr": "x"}),
        ("POST", "/v1/projects", {"name": "green"}),
        ("PUT", "/v1/projects/default/quota", {}),
        ("POST", "/v1/tokens", {"name": "x", "role": "admin"}),
        ("GET", "/v1/tokens", None),
        ("DELETE", "/v1/tokens/x", None),
        ("GET", "/v1/audit", None),
    ):
        refused(cloud.call(method, path, body, who="member"), 403, "minicloud.auth.forbidden")
    assert cloud.rows() == before


def test_a_member_sees_of_a_host_that_it_is_there(cloud: Cloud) -> None:
    assert cloud.get("/v1/hosts/node1", who="member") == {"name": "node1", "state": "ready", "cordoned": False}
    assert [set(host) for host in cloud.get("/v1/hosts", who="member")["items"]] == [{"name", "state", "cordoned"}] * 2
    assert cloud.get("/v1/inventory", who="member")["hosts"] == []


def test_a_revoked_token_is_refused_within_moments(cloud: Cloud) -> None:
    created = token.create(cloud.world.ctx, SYSTEM, "short-lived", "admin")
    cloud.tokens["short"] = created.secret
    assert cloud.call("GET", "/v1/vms", who="short").status_code == 200
    assert cloud.call("DELETE", f"/v1/tokens/{created.token.id}").status_code == 204
    end = time.monotonic() + 3
    while cloud.call("GET", "/v1/vms", who="short").status_code == 200 and time.monotonic() < end:
        time.sleep(0.1)
    refused(cloud.call("GET", "/v1/vms", who="short"), 401, "minicloud.auth.unauthenticated")


def test_the_request_id_goes_all_the_way_and_comes_back(cloud: Cloud) -> None:
    response = cloud.call("POST", "/v1/vms", {"name": "web01"}, headers={"X-Request-ID": "mine-1"})
    assert response.headers["x-request-id"] == "mine-1"
    assert cloud.get(f"/v1/operations/{response.json()['operation']}")["request_id"] == "mine-1"
    entry = cloud.get("/v1/audit?limit=1")["items"][0]
    assert (entry["action"], entry["request_id"], entry["actor"]) == ("vm.create", "mine-1", "admin")


@pytest.mark.parametrize("offered", ["", "a b", "x" * 129, "a\nb", "ä", None])
def test_an_unsound_request_id_is_replaced(offered: str | None) -> None:
    assert re.fullmatch(r"req-[0-9a-f]{16}", choose_request_id(offered))


def test_what_is_not_served_is_a_problem_too(cloud: Cloud) -> None:
    for path in ("/", "/v1", "/v1/vms/", "/v2/vms", "/v1/vms/a/b/c", "/docs", "/redoc", "/v1/vms/a%2Fb"):
        refused(cloud.call("GET", path), 404, "minicloud.http.no_such_route")


def test_a_method_that_is_not_served_is_told_which_are(cloud: Cloud) -> None:
    for method, path, allowed in (
        ("PUT", "/v1/vms", "GET, POST"),
        ("PATCH", "/v1/vms/web01", "DELETE, GET"),
        ("GET", "/v1/vms/web01/start", "POST"),
        ("DELETE", "/healthz", "GET"),
    ):
        response = cloud.call(method, path)
        refused(response, 405, "minicloud.http.method_not_allowed")
        assert response.headers["allow"] == allowed


def test_a_parameter_that_nobody_reads_is_refused(cloud: Cloud) -> None:
    """Above all a misspelt one that was to change nothing."""
    before = cloud.rows()
    for method, path, field in (
        ("POST", "/v1/vms?dryrun=true", "dryrun"),
        ("POST", "/v1/vms?dry_run=true&dry_run=false", "dry_run"),
        ("GET", "/v1/vms?nmae=web01", "nmae"),
        ("GET", "/v1/certificates?x=", "x"),
    ):
        problem = refused(
            cloud.call(method, path, {"name": "web01"} if method == "POST" else None), 422, "minicloud.input.invalid"
        )
        assert [error["field"] for error in problem["errors"]] == [field]
    assert cloud.get("/v1/vms?label=a=b&label=c=d")["items"] == []
    assert cloud.rows() == before


def test_a_nul_in_an_address_is_refused(cloud: Cloud) -> None:
    for path in ("/v1/vms/a%00b", "/v1/vms?name=a%00b"):
        refused(cloud.call("GET", path), 400, "minicloud.http.malformed")


def test_broken_json_is_told_where(cloud: Cloud) -> None:
    before = cloud.rows()
    headers = {"Authorization": f"Bearer {cloud.tokens['admin']}"}
    problem = refused(
        cloud.http.post("/v1/vms", content=b'{"name": "web01",}', headers=headers), 400, "minicloud.input.malformed"
    )
    assert "line 1, column 18" in problem["detail"]
    refused(cloud.http.post("/v1/vms", content=b"[1]", headers=headers), 422, "minicloud.input.invalid")
    refused(cloud.http.post("/v1/vms", content=b"name=web01", headers=headers), 400, "minicloud.input.malformed")
    assert cloud.rows() == before


def test_ten_megabytes_are_too_large(cloud: Cloud) -> None:
    before = cloud.rows()
    headers = {"Authorization": f"Bearer {cloud.tokens['admin']}"}
    body = json.dumps({"name": "web01", "cloud_init": {"user_data": "x" * 10 * 1024**2}}).encode()
    refused(cloud.http.post("/v1/vms", content=body, headers=headers), 413, "minicloud.input.too_large")
    # Without a length announced, chunk by chunk.
    pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
    refused(cloud.http.post("/v1/vms", content=pieces, headers=headers), 413, "minicloud.input.too_large")
    assert cloud.rows() == before


def test_a_body_that_is_announced_as_too_large_is_not_asked_for(cloud: Cloud) -> None:
    """curl waits for 100 Continue before it sends more than a megabyte; it gets the refusal instead."""
    lines = (
        "POST /v1/vms HTTP/1.1",
        "Host: minicloud",
        f"Authorization: Bearer {cloud.tokens['admin']}",
        f"Content-Length: {10 * BODY_LIMIT}",
        "Expect: 100-continue",
        "",
        "",
    )
    with socket.create_connection((cloud.http.base_url.host, cloud.http.base_url.port or 0), timeout=10) as wire:
        wire.sendall("\r\n".join(lines).encode())
        assert wire.recv(64).startswith(b"HTTP/1.1 413 ")


def test_a_body_just_within_the_limit_is_read(cloud: Cloud) -> None:
    headers = {"Authorization": f"Bearer {cloud.tokens['admin']}"}
    body = b'{"name":"web01"}'.ljust(BODY_LIMIT)
    assert cloud.http.post("/v1/vms", content=body, headers=headers).status_code == 202


def test_an_unexpected_error_tells_the_log_and_not_the_client(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_down(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("minicloud.services.vm.list", break_down)
    response = cloud.call("GET", "/v1/vms", headers={"X-Request-ID": "mine-2"})
    refused(response, 500, "minicloud.internal")
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert response.headers["x-request-id"] == "mine-2"
    assert cloud.call("GET", "/v1/images").status_code == 200


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 0),
        ("wait=60", 60),
        ("respond-async, wait=10", 10),
        ("wait = 5; foo=bar", 5),
        ('WAIT="7"', 7),
        ("wait=100000", 300),
        ("wait=-1", 0),
        ("wait=soon", 0),
        ("await=9", 0),
    ],
)
def test_a_preference_is_read_or_ignored(prefer: str | None, seconds: float) -> None:
    assert read_wait(prefer) == seconds


def test_no_answer_names_the_servers_software(cloud: Cloud) -> None:
    assert isinstance(cloud.http, httpx.Client)
    assert "python" not in str(cloud.call("GET", "/v1/vms").headers).lower()
