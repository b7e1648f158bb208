"""What machines ask of the service itself."""

from __future__ import annotations

import re

from .conftest import Cloud


def test_it_is_alive_without_a_token(cloud: Cloud) -> None:
    response = cloud.call("GET", "/healthz", who="")
    assert (response.status_code, response.json()) == (200, {"status": "alive", "checks": {}})


def test_it_is_ready_when_every_part_is(cloud: Cloud) -> None:
    troubles: dict[str, str | None] = {"database": None, "runner": None}
    cloud.room.probes = {name: lambda name=name: troubles[name] for name in troubles}  # type: ignore[misc]
    assert cloud.call("GET", "/readyz", who="").json() == {"status": "ready", "checks": {}}
    troubles["runner"] = "it does not run"
    response = cloud.call("GET", "/readyz", who="")
    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "checks": {"runner": "it does not run"}}


def test_figures_count_requests_by_route_and_not_by_address(cloud: Cloud) -> None:
    cloud.create("web01")
    for name in ("web01", "web02", "web03"):
        cloud.call("GET", f"/v1/vms/{name}")
    cloud.call("GET", "/nowhere")
    text = cloud.call("GET", "/metrics", who="").text
    assert sample(text, 'minicloud_http_requests_total{method="GET",route="/v1/vms/{vm}",status="200"}') == 1
    assert sample(text, 'minicloud_http_requests_total{method="GET",route="/v1/vms/{vm}",status="404"}') == 2
    assert sample(text, 'minicloud_http_requests_total{method="GET",route="unmatched",status="404"}') == 1
    assert sample(text, 'minicloud_http_request_seconds_count{method="POST",route="/v1/vms"}') == 1
    assert "web01" not in text


def test_figures_show_the_fleet(cloud: Cloud) -> None:
    cloud.create("web01")
    cloud.world.clock.advance(7)
    text = cloud.call("GET", "/metrics", who="").text
    assert sample(text, 'minicloud_operations{kind="vm.create",state="queued"}') == 1
    assert sample(text, 'minicloud_hosts{state="ready"}') == 2
    assert sample(text, 'minicloud_vms{status="provisioning"}') == 1
    assert sample(text, 'minicloud_host_observation_age_seconds{host="node1"}') == 7


def sample(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, f"{name} is not among the figures"
    return float(found.group(1))
