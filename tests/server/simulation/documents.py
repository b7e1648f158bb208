"""Examples of hosts, VMs and requests: right ones, and wrong ones with the field that is to be named.

The reader and the published schemas are held against the same examples.
"""

from __future__ import annotations

from typing import Any

HOST = {"id": "a", "cpu": 8, "ram": "16G"}
VM = {"id": "v", "host": "a", "cpu": 1, "ram": 512}

GOOD_HOSTS: list[dict[str, Any]] = [
    {},
    {"ram": 2048, "disk": "1.5T", "state": "down", "cordoned": True, "labels": {"rack": "r1"}},
    {"ram": 512.0, "disk": 0.5, "state": None, "cordoned": None, "labels": None, "load": None, "numa": None},
    {"load": 0.5, "cpu_overcommit": 1.5, "ram_reserved": 0},
    {"load": {"cpu": 1}, "power": {}, "numa": []},
    {"load": {}, "numa": [{"cpu": 4, "ram": "8G"}, {"cpu": 4, "ram": "8GiB"}]},
]
BAD_HOSTS: list[tuple[dict[str, Any], str]] = [
    ({"id": None}, "id"),
    ({"id": ""}, "id"),
    ({"id": 7}, "id"),
    ({"cpu": None}, "cpu"),
    ({"cpu": 0.5}, "cpu"),
    ({"cpu": -1}, "cpu"),
    ({"cpu": "8"}, "cpu"),
    ({"cpu": True}, "cpu"),
    ({"cpu": 1 << 21}, "cpu"),
    ({"ram": None}, "ram"),
    ({"ram": "much"}, "ram"),
    ({"ram": 0.5}, "ram"),
    ({"ram": -1}, "ram"),
    ({"ram": 1 << 60}, "ram"),
    ({"disk": []}, "disk"),
    ({"disk": "-1G"}, "disk"),
    ({"numa": 2}, "numa"),
    ({"numa": [4]}, "numa.0"),
    ({"numa": [{"cpu": 4}]}, "numa.0.ram"),
    ({"numa": [{"cpu": 4, "ram": 1, "disk": 1}]}, "numa.0.disk"),
    ({"state": "asleep"}, "state"),
    ({"state": []}, "state"),
    ({"cordoned": "yes"}, "cordoned"),
    ({"labels": ["x"]}, "labels"),
    ({"labels": {"rack": 1}}, "labels.rack"),
    ({"labels": {"-": "x"}}, "labels.-"),
    ({"load": 1.5}, "load"),
    ({"load": {"cpu": -0.1}}, "load.cpu"),
    ({"load": {"io": 0.1}}, "load.io"),
    ({"power": {"idle_w": 90, "max_w": 300}}, "power"),
    ({"cpu_overcommit": 0}, "cpu_overcommit"),
    ({"cpu_overcommit": 1e300}, "cpu_overcommit"),
    ({"ram_reserved": "x"}, "ram_reserved"),
    ({"colour": "red"}, "colour"),
]

GOOD_VMS: list[dict[str, Any]] = [
    {},
    {"cpu": 0.25, "ram": "1G", "disk": "10G", "numa": 0, "name": "db", "labels": {"tier": "data"}, "state": "stopped"},
    {"disk": None, "numa": None, "name": None, "labels": None, "state": None},
    {"project": None, "priority": None, "affinity": [], "anti_affinity": None, "spread": [], "pools": None},
    {
        "project": "blue",
        "group": "db",
        "priority": -5,
        "affinity": ["group:web"],
        "anti_affinity": ["tier=db", "vm:x y"],
    },
    {"prefer_with": ["app/name=a.b"], "prefer_apart": ["empty="], "group": None, "pinned": None, "huge_pages": True},
    {"group": "db", "spread": [{"by": "rack", "at_most": 2}, {"by": "host", "at_most": 1, "label": "tier"}]},
    {"spread": [{"by": "zone", "at_most": 1, "label": None}], "pinned": False, "volumes": ["data"]},
    {"host_labels": {"disk": "ssd"}, "architecture": "x86_64", "machine": "q35", "cpu_features": ["avx2", "avx2"]},
    {"networks": ["lan"], "bandwidth_mbps": 100, "pools": {"fast": "10G", "slow": 5, "none": None}, "image": "debian"},
]
BAD_VMS: list[tuple[dict[str, Any], str]] = [
    ({"id": None}, "id"),
    ({"id": ""}, "id"),
    ({"host": 1}, "host"),
    ({"cpu": "2"}, "cpu"),
    ({"cpu": -0.5}, "cpu"),
    ({"cpu": False}, "cpu"),
    ({"cpu": None}, "cpu"),
    ({"ram": None}, "ram"),
    ({"disk": "x"}, "disk"),
    ({"numa": -1}, "numa"),
    ({"numa": 1.5}, "numa"),
    ({"numa": [{"cpu": 1, "ram": 1}]}, "numa"),
    ({"numa": True}, "numa"),
    ({"name": 5}, "name"),
    ({"labels": {"a": None}}, "labels.a"),
    ({"state": "deleted"}, "state"),
    ({"state": "asleep"}, "state"),
    ({"project": ""}, "project"),
    ({"project": ["blue"]}, "project"),
    ({"group": ""}, "group"),
    ({"group": "-db"}, "group"),
    ({"group": 5}, "group"),
    ({"priority": 0.5}, "priority"),
    ({"priority": True}, "priority"),
    ({"priority": 2_000_000}, "priority"),
    ({"affinity": ["db"]}, "affinity.0"),
    ({"affinity": {}}, "affinity"),
    ({"affinity": "vm:a"}, "affinity"),
    ({"affinity": ["group:db", "vm:"]}, "affinity.1"),
    ({"anti_affinity": [{"group": "db"}]}, "anti_affinity.0"),
    ({"anti_affinity": ["group:"]}, "anti_affinity.0"),
    ({"prefer_with": ["=x"]}, "prefer_with.0"),
    ({"prefer_apart": ["tier=a b"]}, "prefer_apart.0"),
    ({"spread": {"by": "rack", "at_most": 1}}, "spread"),
    ({"spread": ["rack"]}, "spread.0"),
    ({"spread": [{"by": "rack"}]}, "spread.0.at_most"),
    ({"spread": [{"by": "rack", "at_most": 0}]}, "spread.0.at_most"),
    ({"spread": [{"at_most": 1}]}, "spread.0.by"),
    ({"spread": [{"by": "", "at_most": 1}]}, "spread.0.by"),
    ({"spread": [{"by": "rack", "at_most": 1, "label": "-"}]}, "spread.0.label"),
    ({"spread": [{"by": "rack", "at_most": 1, "per": 1}]}, "spread.0.per"),
    ({"host_labels": {"disk": 1}}, "host_labels.disk"),
    ({"architecture": ""}, "architecture"),
    ({"machine": 5}, "machine"),
    ({"cpu_features": "avx2"}, "cpu_features"),
    ({"networks": ["lan", ""]}, "networks.1"),
    ({"bandwidth_mbps": -1}, "bandwidth_mbps"),
    ({"pools": ["fast"]}, "pools"),
    ({"pools": {"fast": "x"}}, "pools.fast"),
    ({"image": []}, "image"),
    ({"volumes": [1]}, "volumes.0"),
    ({"pinned": 1}, "pinned"),
    ({"huge_pages": "yes"}, "huge_pages"),
    ({"nics": []}, "nics"),
]
# What only the reader knows: a schema looks at shapes.
BEYOND_SCHEMAS: list[tuple[dict[str, Any], str]] = [
    ({"ram": "1.5"}, "ram"),
    ({"ram": "300K"}, "ram"),
    ({"ram": "65P"}, "ram"),
    ({"id": "a\nb"}, "id"),
]

_CREATE = {"at": 0, "op": "create", "vm": {"id": "v", "cpu": 1, "ram": 512}}
_DELETE = {"at": 0, "op": "delete", "id": "v"}
GOOD_REQUESTS: list[dict[str, Any]] = [_CREATE, {**_CREATE, "at": 12.5}, {**_CREATE, "at": -3}, _DELETE]
BAD_REQUESTS: list[tuple[Any, str]] = [
    ([], ""),
    ({}, "op"),
    ({**_CREATE, "op": "resize"}, "op"),
    ({**_CREATE, "op": ["create"]}, "op"),
    ({**_CREATE, "at": "now"}, "at"),
    ({**_CREATE, "at": True}, "at"),
    ({**_CREATE, "at": 1e300}, "at"),
    ({"op": "create", "vm": _CREATE["vm"]}, "at"),
    ({**_CREATE, "vm": None}, "vm"),
    ({**_CREATE, "id": "v"}, "id"),
    ({**_DELETE, "vm": {}}, "vm"),
    ({**_DELETE, "id": None}, "id"),
]
