"""What a lab may be, decided without touching the machine."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FILES = Path(__file__).parents[2] / "roles/lab/files"


@pytest.fixture
def lab_module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import a module of the lab's program by name."""
    monkeypatch.syspath_prepend(str(FILES))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(name: str) -> ModuleType:
        return importlib.import_module(f"minicloud_lab.{name}")

    yield load
    for name in [name for name in sys.modules if name.split(".")[0] == "minicloud_lab"]:
        del sys.modules[name]


@pytest.fixture
def grown(lab_module: Any) -> Any:
    description = lab_module("description")

    def grow(existing: Any = None, **changes: Any) -> Any:
        wish = {"name": "x", "subnet": "10.5.0.0/24", "hosts": 2, "base": "/b1", "packages": "/p1", **changes}
        return description.grown(existing, description.Wish(**wish), lambda: "0" * 32)

    return grow


def test_hosts_are_numbered_from_the_eleventh_address(grown: Any) -> None:
    lab = grown()
    assert [(host.name, host.address) for host in lab.hosts] == [("node1", "10.5.0.11"), ("node2", "10.5.0.12")]
    assert (lab.gateway, lab.bridge) == ("10.5.0.1", "mcbr-x")


def test_a_growing_lab_keeps_the_layers_of_its_hosts(grown: Any) -> None:
    lab = grown(grown(), hosts=3, base="/b2", packages="/p2")
    assert [(host.name, host.base) for host in lab.hosts] == [("node1", "/b1"), ("node2", "/b1"), ("node3", "/b2")]


def test_a_smaller_wish_leaves_hosts_alone(grown: Any) -> None:
    lab = grown(hosts=3)
    assert grown(lab, hosts=1) == lab


@pytest.mark.parametrize("name", ["", "X", "1a", "toolong", "a-b", "a/b", "../a", "a\n", "ä"])
def test_names_that_no_interface_or_path_could_carry_are_refused(grown: Any, lab_module: Any, name: str) -> None:
    with pytest.raises(lab_module("errors").LabError, match="lab name"):
        grown(name=name)


@pytest.mark.parametrize(
    "subnet", ["10.5.0.0/16", "10.5.0.7/24", "8.8.8.0/24", "127.0.0.0/24", "fd00::/64", "nonsense"]
)
def test_subnets_that_are_not_a_private_24_are_refused(grown: Any, lab_module: Any, subnet: str) -> None:
    with pytest.raises(lab_module("errors").LabError, match="a private /24"):
        grown(subnet=subnet)


def test_every_name_fits_an_interface(grown: Any) -> None:
    lab = grown(name="abcde", hosts=99)
    assert max(len(lab.cable(host)) for host in lab.hosts) <= 15
    assert len(lab.bridge) <= 15


@pytest.mark.parametrize("hosts", [0, -1, 100])
def test_impossible_numbers_of_hosts_are_refused(grown: Any, lab_module: Any, hosts: int) -> None:
    with pytest.raises(lab_module("errors").LabError, match="1 to 99"):
        grown(hosts=hosts)


def test_a_lab_does_not_move_to_another_subnet(grown: Any, lab_module: Any) -> None:
    with pytest.raises(lab_module("errors").LabError, match=r"exists with subnet 10\.5\.0\.0/24"):
        grown(grown(), subnet="10.6.0.0/24")


def test_a_description_survives_being_written(grown: Any, lab_module: Any) -> None:
    description = lab_module("description")
    assert description.from_mapping(description.to_mapping(grown())) == grown()


def link(name: str, address: str, prefix: int) -> dict[str, Any]:
    return {"ifname": name, "addr_info": [{"family": "inet", "local": address, "prefixlen": prefix}]}


def test_conflicts_name_the_interface_the_route_and_the_other_lab(grown: Any, lab_module: Any) -> None:
    conflicts = lab_module("network").conflicts
    lab = grown()
    links = [link("lo", "127.0.0.1", 8), link("eth0", "10.5.0.200", 16)]
    routes = [
        {"dst": "default", "dev": "eth0"},
        {"dst": "10.0.0.0/8", "dev": "tun0"},
        {"dst": "10.9.0.0/24", "dev": "y"},
    ]
    assert conflicts(lab, links, routes, [lab, grown(name="y")]) == [
        "eth0 has 10.5.0.200/16, which meets 10.5.0.0/24",
        "there is a route to 10.0.0.0/8 by tun0, which meets 10.5.0.0/24",
        "lab y has 10.5.0.0/24",
    ]


def test_the_labs_own_bridge_is_no_conflict_unless_it_has_another_address(grown: Any, lab_module: Any) -> None:
    conflicts = lab_module("network").conflicts
    routes = [{"dst": "10.5.0.0/24", "dev": "mcbr-x"}]
    assert conflicts(grown(), [link("mcbr-x", "10.5.0.1", 24)], routes, []) == []
    assert conflicts(grown(), [link("mcbr-x", "10.5.0.9", 24)], routes, []) == [
        "bridge mcbr-x exists with address 10.5.0.9, not 10.5.0.1"
    ]


def test_control_groups_are_found_on_old_and_new_machines(lab_module: Any) -> None:
    mounts = lab_module("cgroup").mounts
    modern = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    assert mounts(modern) == (Path("/sys/fs/cgroup"), [])
    hybrid = (
        "31 30 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
        "34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    )
    assert mounts(hybrid) == (
        Path("/sys/fs/cgroup/unified"),
        [Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup/systemd")],
    )


def test_the_cache_key_follows_packages_and_scripts(lab_module: Any, tmp_path: Path) -> None:
    key_of = lab_module("cache").key_of
    script = tmp_path / "build.sh"
    script.write_text("one")
    keys = {key_of(["a", "b"], [script]), key_of(["ab"], [script]), key_of(["a"], [script])}
    script.write_text("two")
    keys.add(key_of(["a", "b"], [script]))
    assert len(keys) == 4
