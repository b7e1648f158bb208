"""Images over HTTP: from the service's disk, by signed address, to whoever holds it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .conftest import Cloud, fields, refused


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "vmlinuz"
    path.write_bytes(b"a kernel" * 10_000)
    return path


def register(cloud: Cloud, kernel: Path) -> None:
    body = {"name": "small", "kind": "kernel", "files": [{"role": "kernel", "path": str(kernel)}]}
    assert cloud.call("POST", "/v1/images", body).status_code == 201


def test_an_image_is_registered_once(cloud: Cloud, kernel: Path) -> None:
    body = {"name": "small", "kind": "kernel", "files": [{"role": "kernel", "path": str(kernel)}]}
    before = cloud.rows()
    assert cloud.call("POST", "/v1/images?dry_run=true", body).status_code == 200
    assert cloud.rows() == before
    made = cloud.call("POST", "/v1/images", body)
    assert made.status_code == 201
    digest = hashlib.sha256(kernel.read_bytes()).hexdigest()
    assert made.json()["files"] == [{"role": "kernel", "name": "vmlinuz", "sha256": digest, "size": 80_000}]
    assert cloud.call("POST", "/v1/images", body).status_code == 200
    refused(cloud.call("POST", "/v1/images", {**body, "cmdline": "quiet"}), 409, "minicloud.resource.conflict")
    assert [image["name"] for image in cloud.get("/v1/images", who="viewer")["items"]] == ["small", "tiny"]
    assert cloud.get("/v1/images/small") == made.json()


def test_bad_images_are_refused(cloud: Cloud, kernel: Path) -> None:
    for body, wrong in (
        ({}, {"name", "kind", "files"}),
        ({"name": "a", "kind": "iso", "files": []}, {"kind", "files"}),
        ({"name": "a", "kind": "kernel", "files": [{"role": "kernel", "path": "vmlinuz"}]}, {"files.0.path"}),
        ({"name": "a", "kind": "kernel", "files": [{"role": "kernel", "path": f"{kernel}x"}]}, {"files.0.path"}),
        (
            {"name": "a", "kind": "kernel", "files": [{"role": "kernel", "path": str(kernel), "sha256": "0" * 64}]},
            {"files.0.sha256"},
        ),
    ):
        problem = refused(cloud.call("POST", "/v1/images", body), 422, "minicloud.input.invalid")
        assert fields(problem) == wrong


def test_whoever_has_the_signed_address_gets_the_file(cloud: Cloud, kernel: Path) -> None:
    cloud.call(
        "POST", "/v1/images", {"name": "small", "kind": "kernel", "files": [{"role": "kernel", "path": str(kernel)}]}
    )
    order = cloud.call("POST", "/v1/vms", {"name": "web01", "image": "small", "claim": "me"}).json()["order"]
    address = urlsplit(order["image"]["files"][0]["url"])
    url = f"{address.path}?{address.query}"
    whole = cloud.call("GET", url, who="")
    assert (whole.status_code, whole.content) == (200, kernel.read_bytes())
    assert whole.headers["content-type"] == "application/octet-stream"
    part = cloud.call("GET", url, who="", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, kernel.read_bytes()[10:20])


def test_nobody_else_does(cloud: Cloud, kernel: Path) -> None:
    cloud.call(
        "POST", "/v1/images", {"name": "small", "kind": "kernel", "files": [{"role": "kernel", "path": str(kernel)}]}
    )
    order = cloud.call("POST", "/v1/vms", {"name": "web01", "image": "small", "claim": "me"}).json()["order"]
    address = urlsplit(order["image"]["files"][0]["url"])
    refused(cloud.call("GET", address.path), 422, "minicloud.input.invalid")
    forged = address.query.replace("signature=", "signature=0")
    refused(cloud.call("GET", f"{address.path}?{forged}"), 403, "minicloud.auth.forbidden")
    other = address.path.replace("vmlinuz", "initrd")
    refused(cloud.call("GET", f"{other}?{address.query}"), 403, "minicloud.auth.forbidden")
    climbing = address.path.replace("vmlinuz", "..%2F..%2Fminicloud.db")
    refused(cloud.call("GET", f"{climbing}?{address.query}"), 404, "minicloud.http.no_such_route")
    cloud.world.clock.advance(10 * 24 * 3600)
    refused(cloud.call("GET", f"{address.path}?{address.query}"), 403, "minicloud.auth.forbidden")


def test_an_image_in_use_stays(cloud: Cloud, kernel: Path) -> None:
    cloud.call(
        "POST", "/v1/images", {"name": "small", "kind": "kernel", "files": [{"role": "kernel", "path": str(kernel)}]}
    )
    cloud.create("web01")
    problem = refused(cloud.call("DELETE", "/v1/images/tiny"), 409, "minicloud.resource.conflict")
    assert problem["details"]["vms"] == ["vm-101"]
    assert cloud.call("DELETE", "/v1/images/small").status_code == 204
    refused(cloud.call("GET", "/v1/images/small"), 404, "minicloud.resource.not_found")
