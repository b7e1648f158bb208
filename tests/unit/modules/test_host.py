"""The host module against a service that keeps hosts, and the certificate module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]

KNOWN = {
    "name": "node1",
    "address": "192.0.2.11",
    "ssh_user": "root",
    "ssh_port": 22,
    "ssh_key_file": None,
    "libvirt_uri": "qemu+tls://192.0.2.11/system",
    "migrate_address": "192.0.2.11",
    "labels": {"rack": "r1"},
    "cpu_overcommit": None,
    "ram_reserved_mib": None,
    "dedicated": [],
    "power": None,
    "bandwidth_mbps": None,
    "cordoned": False,
    "state": "ready",
    "state_reason": "",
    "fence_agent": None,
}


class Hosts:
    """As the service does it: registering again updates, and says whether anything changed."""

    def __init__(self, service: Any) -> None:
        self.kept: dict[str, Any] | None = None
        service.on("GET", "/v1/hosts/node1", self.get)
        service.on("POST", "/v1/hosts", self.register)
        service.on("POST", "/v1/hosts/node1/cordon", lambda _request: self.cordon(True))
        service.on("POST", "/v1/hosts/node1/uncordon", lambda _request: self.cordon(False))
        service.on("DELETE", "/v1/hosts/node1", self.remove)

    def get(self, _request: Any) -> tuple[int, dict[str, Any]]:
        if self.kept is None:
            return 404, {"code": "minicloud.resource.not_found", "detail": "there is no host node1"}
        return 200, self.kept

    def register(self, request: Any) -> tuple[int, dict[str, Any]]:
        fence = request.body.pop("fence", None)
        base = self.kept or {**KNOWN, "labels": {}}
        after = {**base, **request.body, "fence_agent": fence["agent"] if fence else base["fence_agent"]}
        changed = after != self.kept
        if not request.query.get("dry_run"):
            self.kept = after
        return 200, {**after, "changed": changed}

    def cordon(self, cordoned: bool) -> tuple[int, dict[str, Any]]:
        assert self.kept is not None
        self.kept = {**self.kept, "cordoned": cordoned}
        return 200, {**self.kept, "changed": True}

    def remove(self, request: Any) -> tuple[int, None]:
        if not request.query.get("dry_run"):
            self.kept = None
        return 204, None


@pytest.fixture
def hosts(service: Any) -> Hosts:
    return Hosts(service)


def test_a_host_is_registered_once(hosts: Hosts, ask: Run) -> None:
    arguments = {"name": "node1", "address": "192.0.2.11", "labels": {"rack": 1}}
    first = ask("host", **arguments)
    assert first["changed"]
    assert first["diff"]["before"] == {}
    assert first["diff"]["after"]["labels"] == {"rack": "1"}
    again = ask("host", **arguments)
    assert not again["changed"]
    assert again["host"]["address"] == "192.0.2.11"
    assert hosts.kept is not None


def test_check_mode_registers_nothing(hosts: Hosts, ask: Run) -> None:
    result = ask("host", name="node1", address="192.0.2.11", cordoned=True, wait=5, check=True)
    assert result["changed"]
    assert result["diff"]["after"]["cordoned"]
    assert hosts.kept is None


def test_what_the_scheduler_is_told_is_passed_on(hosts: Hosts, ask: Run) -> None:
    told = {"dedicated": ["shop"], "power": {"idle_w": 90, "max_w": 300}, "bandwidth_mbps": 1000}
    assert ask("host", name="node1", address="192.0.2.11", **told)["changed"]
    assert hosts.kept is not None
    assert {key: hosts.kept[key] for key in told} == told
    again = ask("host", name="node1", ssh_port=22)
    assert not again["changed"]
    cleared = ask("host", name="node1", dedicated=[], power={}, bandwidth_mbps=0)
    assert cleared["changed"]
    assert (hosts.kept["dedicated"], hosts.kept["power"], hosts.kept["bandwidth_mbps"]) == ([], {}, 0)


def test_what_is_not_said_stays_as_it_is(hosts: Hosts, ask: Run) -> None:
    hosts.kept = {**KNOWN, "ssh_port": 2222, "fence_agent": "fence_ipmilan"}
    result = ask("host", name="node1", cpu_overcommit=2, ram_reserved="2G")
    assert result["changed"]
    assert hosts.kept["ssh_port"] == 2222
    assert hosts.kept["fence_agent"] == "fence_ipmilan"
    assert (hosts.kept["cpu_overcommit"], hosts.kept["ram_reserved_mib"]) == (2.0, 2048)
    assert result["diff"]["before"]["ram_reserved_mib"] is None


@pytest.mark.parametrize(
    ("old", "uri"),
    [("192.0.2.11", "qemu+tls://192.0.2.11/system"), ("2001:db8::11", "qemu+tls://[2001:db8::11]/system")],
)
def test_what_follows_from_the_address_follows_a_new_one(
    service: Any, hosts: Hosts, ask: Run, old: str, uri: str
) -> None:
    hosts.kept = {**KNOWN, "address": old, "libvirt_uri": uri, "migrate_address": old}
    ask("host", name="node1", address="192.0.2.99")
    sent = service.sent("POST")[0].body
    assert sent["address"] == "192.0.2.99"
    assert "libvirt_uri" not in sent
    assert "migrate_address" not in sent


def test_a_uri_and_a_migration_address_of_their_own_stay(service: Any, hosts: Hosts, ask: Run) -> None:
    own = {"libvirt_uri": "qemu+ssh://root@192.0.2.11/system", "migrate_address": "198.51.100.11"}
    hosts.kept = {**KNOWN, **own}
    ask("host", name="node1", address="192.0.2.99")
    assert {key: service.sent("POST")[0].body[key] for key in own} == own


def test_a_host_is_cordoned_and_uncordoned(service: Any, hosts: Hosts, ask: Run) -> None:
    hosts.kept = dict(KNOWN)
    assert ask("host", name="node1", cordoned=True)["changed"]
    assert hosts.kept["cordoned"]
    assert not ask("host", name="node1", cordoned=True)["changed"]
    assert ask("host", name="node1", cordoned=False, check=True)["changed"]
    assert hosts.kept["cordoned"]
    assert ask("host", name="node1", cordoned=False)["changed"]
    assert not hosts.kept["cordoned"]
    # To cordon says nothing of the rest, so nothing of the rest is sent.
    assert all(request.path != "/v1/hosts" for request in service.sent("POST"))


def test_a_host_is_forgotten_once(hosts: Hosts, ask: Run) -> None:
    hosts.kept = dict(KNOWN)
    assert ask("host", name="node1", state="absent", check=True)["changed"]
    assert hosts.kept is not None
    assert ask("host", name="node1", state="absent")["changed"]
    assert hosts.kept is None
    assert not ask("host", name="node1", state="absent")["changed"]


def test_a_new_host_needs_an_address(hosts: Hosts, ask: Run) -> None:
    result = ask("host", name="node1", labels={})
    assert result["error"]["errors"][0]["field"] == "address"
    assert hosts.kept is None


def test_what_the_fence_agent_is_told_is_hidden(hosts: Hosts, ask: Run) -> None:
    fence = {"agent": "fence_ipmilan", "options": {"ip": "192.0.2.111", "password": "hunter2-hunter2"}}
    result = ask("host", name="node1", address="192.0.2.11", fence=fence)
    assert result["host"]["fence_agent"] == "fence_ipmilan"
    assert "hunter2-hunter2" not in str(result)


def test_waiting_ends_when_the_host_is_ready(service: Any, ask: Run) -> None:
    silent = {**KNOWN, "state": "registering"}
    service.on("GET", "/v1/hosts/node1", (200, silent), (200, silent), (200, KNOWN))
    service.on("POST", "/v1/hosts", (200, {**silent, "changed": False}))
    assert ask("host", name="node1", address="192.0.2.11", wait=10)["host"]["state"] == "ready"


def test_a_host_that_does_not_get_ready_says_why(service: Any, ask: Run) -> None:
    silent = {**KNOWN, "state": "registering", "state_reason": "TLS handshake failed"}
    service.on("GET", "/v1/hosts/node1", (200, silent))
    service.on("POST", "/v1/hosts", (200, {**silent, "changed": False}))
    result = ask("host", name="node1", address="192.0.2.11", wait=1)
    assert "still registering after 1 s: TLS handshake failed" in result["msg"]
    assert "qemu+tls://192.0.2.11/system" in result["msg"]


CSR = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n"


def test_a_request_is_signed(service: Any, ask: Run) -> None:
    service.on("POST", "/v1/certificates", (201, {"certificate": "C", "ca": "A"}))
    result = ask("certificate", host="node1", csr=CSR)
    assert service.requests[0].body == {"host": "node1", "csr": CSR}
    assert (result["changed"], result["certificate"], result["ca"]) == (True, "C", "A")


def test_without_a_request_only_the_authority_is_read(service: Any, ask: Run) -> None:
    service.on("GET", "/v1/certificates", (200, {"ca": "A"}))
    result = ask("certificate")
    assert (result["changed"], result["certificate"], result["ca"]) == (False, "", "A")


def test_check_mode_signs_nothing(service: Any, ask: Run) -> None:
    service.on("GET", "/v1/certificates", (200, {"ca": "A"}))
    result = ask("certificate", host="node1", csr=CSR, check=True)
    assert (result["changed"], result["certificate"], result["ca"]) == (True, "", "A")
    assert not service.sent("POST")


def test_what_is_no_request_is_not_sent(service: Any, ask: Run) -> None:
    assert ask("certificate", host="node1", csr="hello")["error"]["errors"][0]["field"] == "csr"
    assert not service.requests
    assert ask("certificate", csr=CSR)["failed"]
