"""Hosts over HTTP."""

from __future__ import annotations

from minicloud.services.view.observation import DomainObservation

from .conftest import Cloud, fields, refused

FENCE = {"agent": "fence_ipmilan", "options": {"ip": "10.0.0.99", "password": "unspeakable"}}


def test_registering_is_making_then_changing_then_nothing(cloud: Cloud) -> None:
    body = {"name": "node3", "address": "10.77.0.13", "labels": {"rack": "a"}, "fence": FENCE}
    made = cloud.call("POST", "/v1/hosts", body)
    assert made.status_code == 201
    host = made.json()
    assert (host["state"], host["changed"], host["fence_agent"]) == ("registering", True, "fence_ipmilan")
    assert host["libvirt_uri"] == "qemu+tls://10.77.0.13/system"
    again = cloud.call("POST", "/v1/hosts", body)
    assert (again.status_code, again.json()["changed"]) == (200, False)
    moved = cloud.call("POST", "/v1/hosts", {**body, "address": "10.77.0.14"})
    assert (moved.status_code, moved.json()["changed"], moved.json()["address"]) == (200, True, "10.77.0.14")


def test_what_a_registration_leaves_out_stays_and_an_empty_fence_goes(cloud: Cloud) -> None:
    cloud.call("POST", "/v1/hosts", {"name": "node3", "address": "10.77.0.13", "labels": {"rack": "a"}, "fence": FENCE})
    kept = cloud.call("POST", "/v1/hosts", {"name": "node3", "address": "10.77.0.13"}).json()
    assert (kept["labels"], kept["fence_agent"], kept["changed"]) == ({"rack": "a"}, "fence_ipmilan", False)
    gone = cloud.call("POST", "/v1/hosts", {"name": "node3", "address": "10.77.0.13", "fence": {}}).json()
    assert (gone["fence_agent"], gone["changed"]) == (None, True)


def test_a_fence_agents_options_are_never_shown(cloud: Cloud) -> None:
    cloud.call("POST", "/v1/hosts", {"name": "node3", "address": "10.77.0.13", "fence": FENCE})
    for path in ("/v1/hosts/node3", "/v1/hosts", "/v1/audit", "/v1/inventory"):
        assert "unspeakable" not in cloud.call("GET", path).text


def test_bad_hosts_are_refused_field_by_field(cloud: Cloud) -> None:
    before = cloud.rows()
    for body, wrong in (
        ({}, {"name", "address"}),
        ({"name": "no/de", "address": "10.0.0.1"}, {"name"}),
        ({"name": "node3", "address": "10.0.0.1; rm -rf /"}, {"address"}),
        ({"name": "node3", "address": "10.0.0.1", "ssh_port": 0}, {"ssh_port"}),
        ({"name": "node3", "address": "10.0.0.1", "ssh_user": "-oProxyCommand=x"}, {"ssh_user"}),
    ):
        problem = refused(cloud.call("POST", "/v1/hosts", body), 422, "minicloud.input.invalid")
        assert fields(problem) == wrong
    assert cloud.rows() == before


def test_a_dry_registration_changes_nothing(cloud: Cloud) -> None:
    before = cloud.rows()
    response = cloud.call("POST", "/v1/hosts?dry_run=true", {"name": "node3", "address": "10.77.0.13"})
    assert (response.status_code, response.json()["changed"]) == (200, True)
    assert cloud.rows() == before


def test_a_host_shows_what_it_has_and_what_it_promised(cloud: Cloud) -> None:
    cloud.create("web01", cpu=2, ram="1G", host="node1")
    host = cloud.get("/v1/hosts/node1")
    assert (host["cpu"], host["ram_mib"], host["state"], host["vms"]) == (4, 8192, "ready", 1)
    assert (host["allocated"]["cpu"], host["allocated"]["ram_mib"]) == (2, 1024)
    assert [one["name"] for one in cloud.get("/v1/hosts")["items"]] == ["node1", "node2"]
    first = cloud.get("/v1/hosts?limit=1")
    assert [one["name"] for one in cloud.get(f"/v1/hosts?limit=1&cursor={first['next']}")["items"]] == ["node2"]
    assert cloud.get("/v1/hosts?state=down")["items"] == []


def test_a_cordoned_host_takes_no_new_vm(cloud: Cloud) -> None:
    response = cloud.call("POST", "/v1/hosts/node1/cordon", {"reason": "new memory"})
    assert (response.status_code, response.json()["cordoned"], response.json()["changed"]) == (200, True, True)
    assert cloud.call("POST", "/v1/hosts/node1/cordon").json()["changed"] is False
    assert {cloud.create(f"web0{number}")["host"] for number in range(3)} == {"node2"}
    assert cloud.call("POST", "/v1/hosts/node1/uncordon").json()["cordoned"] is False


def test_a_fence_is_an_operation(cloud: Cloud) -> None:
    refused(cloud.call("POST", "/v1/hosts/node1/fence"), 409, "minicloud.resource.conflict")
    cloud.call("POST", "/v1/hosts", {"name": "node1", "address": "10.77.0.11", "fence": FENCE})
    response = cloud.call("POST", "/v1/hosts/node1/fence")
    assert response.status_code == 202
    operation = cloud.get(f"/v1/operations/{response.json()['operation']}")
    assert (operation["kind"], operation["host"]) == ("host.fence", "node1")
    assert "unspeakable" not in str(operation)


def test_a_host_is_forgotten_once_it_is_empty(cloud: Cloud) -> None:
    cloud.create("web01", host="node1")
    problem = refused(cloud.call("DELETE", "/v1/hosts/node1"), 409, "minicloud.resource.conflict")
    assert problem["details"]["vms"] == ["vm-101"]
    before = cloud.rows()
    assert cloud.call("DELETE", "/v1/hosts/node2?dry_run=true").status_code == 204
    assert cloud.rows() == before
    assert cloud.call("DELETE", "/v1/hosts/node2").status_code == 204
    refused(cloud.call("GET", "/v1/hosts/node2"), 404, "minicloud.resource.not_found")


def test_domains_that_are_not_ours_are_shown(cloud: Cloud) -> None:
    vm = cloud.running("web01", host="node1")
    foreign = DomainObservation("9" * 8 + "-0000-4000-8000-000000000000", "pet", "running", None, 1, 256)
    cloud.world.observe("node1", {"web01": "running"}, others=(foreign,))
    first = cloud.get("/v1/hosts/node1/domains?limit=1")
    rest = cloud.get(f"/v1/hosts/node1/domains?limit=1&cursor={first['next']}")
    assert rest["next"] is None
    domains = {one["name"]: one for one in first["items"] + rest["items"]}
    assert (domains["pet"]["managed"], domains["pet"]["vm"]) == (False, None)
    assert (domains[vm["id"]]["managed"], domains[vm["id"]]["vm"]) == (True, vm["id"])
    assert domains[vm["id"]]["epoch"] == vm["epoch"]
