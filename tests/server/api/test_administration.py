"""Projects, tokens, certificates, the audit and the inventory over HTTP."""

from __future__ import annotations

import json

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from minicloud.services import certificate

from .conftest import Cloud, fields, refused


def test_a_project_is_made_with_its_quota(cloud: Cloud) -> None:
    made = cloud.call("POST", "/v1/projects", {"name": "green", "quota": {"vms": 1}})
    assert made.status_code == 201
    nothing = dict.fromkeys(("cpu", "ram_mib", "disk_bytes", "priority_max"))
    assert made.json()["quota"] == {"vms": 1, **nothing}
    refused(cloud.call("POST", "/v1/projects", {"name": "green"}), 409, "minicloud.resource.conflict")
    assert cloud.call("POST", "/v1/vms?project=green", {"name": "web01"}).status_code == 202
    assert cloud.get("/v1/projects/green")["usage"]["vms"] == 1
    problem = refused(
        cloud.call("POST", "/v1/vms?project=green", {"name": "web02"}), 403, "minicloud.project.quota_exceeded"
    )
    assert "vms" in json.dumps(problem)
    assert cloud.call("PUT", "/v1/projects/green/quota", {"vms": 2}).json()["quota"]["vms"] == 2
    assert cloud.call("POST", "/v1/vms?project=green", {"name": "web02"}).status_code == 202


def test_a_member_sees_its_own_project(cloud: Cloud) -> None:
    assert [one["name"] for one in cloud.get("/v1/projects", who="blue")["items"]] == ["blue"]
    assert [one["name"] for one in cloud.get("/v1/projects")["items"]] == ["blue", "default"]
    refused(cloud.call("GET", "/v1/projects/default", who="blue"), 404, "minicloud.resource.not_found")


def test_a_dry_run_makes_neither_project_nor_token(cloud: Cloud) -> None:
    before = cloud.rows()
    assert cloud.call("POST", "/v1/projects?dry_run=true", {"name": "green"}).status_code == 200
    assert cloud.call("PUT", "/v1/projects/blue/quota?dry_run=true", {"vms": 0}).status_code == 200
    answer = cloud.call("POST", "/v1/tokens?dry_run=true", {"name": "ci", "role": "admin"})
    assert (answer.status_code, answer.json()["token"]) == (200, "")
    assert cloud.rows() == before
    assert cloud.get("/v1/projects/blue")["quota"]["vms"] is None


def test_a_token_is_shown_once_and_works(cloud: Cloud) -> None:
    key = {"Idempotency-Key": "k1"}
    body = {"name": "ci", "role": "viewer", "project": "blue"}
    made = cloud.call("POST", "/v1/tokens", body, headers=key)
    assert made.status_code == 201
    secret = made.json()["token"]
    assert cloud.http.get("/v1/vms", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    listed = cloud.call("GET", "/v1/tokens")
    assert secret not in listed.text
    assert "ci" in [one["name"] for one in listed.json()["items"]]
    again = cloud.call("POST", "/v1/tokens", body, headers=key)
    assert (again.json()["id"], again.json()["token"]) == (made.json()["id"], "")
    assert secret not in cloud.call("GET", "/v1/audit").text


def test_bad_tokens_are_refused(cloud: Cloud) -> None:
    for body, wrong in (
        ({}, {"name", "role"}),
        ({"name": "ci", "role": "god"}, {"role"}),
        ({"name": "ci", "role": "member"}, {"project"}),
        ({"name": "ci", "role": "member", "project": "green"}, {"project"}),
        ({"name": "ci", "role": "admin", "expires_at": "tomorrow"}, {"expires_at"}),
        ({"name": "ci", "role": "admin", "expires_at": "2001-01-01T00:00:00Z"}, {"expires_at"}),
    ):
        problem = refused(cloud.call("POST", "/v1/tokens", body), 422, "minicloud.input.invalid")
        assert fields(problem) == wrong
    refused(cloud.call("DELETE", "/v1/tokens/nope"), 404, "minicloud.resource.not_found")


def test_a_hosts_request_is_signed(cloud: Cloud) -> None:
    certificate.initialise(cloud.world.ctx)
    ca = cloud.get("/v1/certificates", who="member")["ca"]
    signed = cloud.call("POST", "/v1/certificates", {"host": "node1", "csr": request("node1")})
    assert signed.status_code == 201
    assert signed.json()["ca"] == ca
    leaf, root = (x509.load_pem_x509_certificate(signed.json()[key].encode()) for key in ("certificate", "ca"))
    leaf.verify_directly_issued_by(root)


def test_what_is_no_request_is_not_signed(cloud: Cloud) -> None:
    certificate.initialise(cloud.world.ctx)
    for body, wrong in (
        ({"host": "node1"}, {"csr"}),
        ({"host": "node1", "csr": "hello"}, {"csr"}),
        ({"host": "no/de", "csr": request("node1")}, {"host"}),
    ):
        problem = refused(cloud.call("POST", "/v1/certificates", body), 422, "minicloud.input.invalid")
        assert fields(problem) == wrong


def test_the_audit_knows_who_did_what(cloud: Cloud) -> None:
    cloud.call("POST", "/v1/vms", {"name": "web01"}, who="member")
    cloud.call("POST", "/v1/hosts/node1/cordon")
    entries = cloud.get("/v1/audit?limit=2")
    assert [(one["actor"], one["action"]) for one in entries["items"]] == [
        ("admin", "host.cordon"),
        ("member", "vm.create"),
    ]
    assert cloud.get(f"/v1/audit?limit=2&cursor={entries['next']}")["items"]
    assert [one["actor"] for one in cloud.get("/v1/audit?action=vm.create")["items"]] == ["member"]


def test_the_inventory_has_the_views_columns(cloud: Cloud) -> None:
    cloud.create("web01", labels={"tier": "web"})
    inventory = cloud.get("/v1/inventory")
    assert {"name", "address", "ssh_user", "ssh_port", "state", "labels"} <= set(inventory["hosts"][0])
    assert {"id", "uuid", "name", "project", "status", "host", "ram_mib"} <= set(inventory["vms"][0])


def request(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()
