"""What callers write about a VM's place, read or refused."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.model.errors import InputError
from minicloud_core.model.scheduling import SchedulingSpec, SpreadSpec, read_scheduling
from minicloud_core.model.vm import VmSpec, parse_spec


def test_every_field_is_read() -> None:
    spec = read_scheduling(
        {
            "host_labels": {"disk": "nvme"},
            "group": "db",
            "affinity": ["vm:cache"],
            "anti_affinity": ["group:db", "tier=batch"],
            "prefer_with": ["vm:vm-101"],
            "prefer_apart": ["example.org/noisy="],
            "spread": ["host", {"by": "rack", "at_most": 2, "label": "tier"}],
            "priority": -5,
            "pinned": True,
            "cpu_features": ["avx2", "sse4.2"],
            "bandwidth_mbps": 100,
            "machine": "pc-q35-7.2",
            "numa": 2,
            "huge_pages": True,
        }
    )
    assert spec == SchedulingSpec(
        host_labels={"disk": "nvme"},
        group="db",
        affinity=("vm:cache",),
        anti_affinity=("group:db", "tier=batch"),
        prefer_with=("vm:vm-101",),
        prefer_apart=("example.org/noisy=",),
        spread=(SpreadSpec("host"), SpreadSpec("rack", 2, "tier")),
        priority=-5,
        pinned=True,
        cpu_features=("avx2", "sse4.2"),
        bandwidth_mbps=100,
        machine="pc-q35-7.2",
        numa=2,
        huge_pages=True,
    )
    assert list(spec.vm_terms()) == [("affinity.0", "cache"), ("prefer_with.0", "vm-101")]


def test_what_is_not_said_is_not_asked() -> None:
    assert read_scheduling({"group": None, "priority": None}) == SchedulingSpec()
    assert SchedulingSpec().to_mapping() == {}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ("rack", {"p"}),
        ({"afinity": []}, {"p.afinity"}),
        ({"host_labels": {"a b": "c"}}, {"p.host_labels.a b"}),
        ({"host_labels": ["ssd"]}, {"p.host_labels"}),
        ({"group": "data base"}, {"p.group"}),
        ({"affinity": "vm:web01"}, {"p.affinity"}),
        ({"affinity": ["web01"]}, {"p.affinity.0"}),
        ({"affinity": ["vm:web01", "host:node1"]}, {"p.affinity.1"}),
        ({"affinity": ["vm:"]}, {"p.affinity.0"}),
        ({"affinity": ["vm:a", 3, None, ["x"]]}, {"p.affinity.1", "p.affinity.2", "p.affinity.3"}),
        ({"affinity": ["vm:a", "vm:a"]}, {"p.affinity.1"}),
        ({"anti_affinity": ["=x"]}, {"p.anti_affinity.0"}),
        ({"prefer_apart": ["a=b\n"]}, {"p.prefer_apart.0"}),
        ({"prefer_with": ["vm:a"] * 33}, {"p.prefer_with"}),
        ({"spread": "rack"}, {"p.spread"}),
        ({"spread": [{"at_most": 1}]}, {"p.spread.0.by"}),
        ({"spread": [{"by": "rack", "at_most": 0, "why": 1}]}, {"p.spread.0.at_most", "p.spread.0.why"}),
        ({"spread": ["rack", {"by": "rack", "at_most": 2}]}, {"p.spread.1.by"}),
        ({"spread": [{"by": "rack", "label": "a b"}]}, {"p.spread.0.label"}),
        ({"priority": 1001}, {"p.priority"}),
        ({"priority": True}, {"p.priority"}),
        ({"priority": "High"}, {"p.priority"}),
        ({"priority": "7"}, {"p.priority"}),
        ({"pinned": "yes"}, {"p.pinned"}),
        ({"cpu_features": ["avx 2"]}, {"p.cpu_features.0"}),
        ({"bandwidth_mbps": -1}, {"p.bandwidth_mbps"}),
        ({"bandwidth_mbps": 1.5}, {"p.bandwidth_mbps"}),
        ({"machine": "microvm"}, {"p.machine"}),
        ({"machine": "pc-q35-"}, {"p.machine"}),
        ({"machine": 1}, {"p.machine"}),
        ({"numa": 9}, {"p.numa"}),
        ({"numa": True}, {"p.numa"}),
        ({"huge_pages": 1}, {"p.huge_pages"}),
        ({"group": "", "pinned": 1, "what": 1}, {"p.group", "p.pinned", "p.what"}),
    ],
)
def test_what_is_wrong_is_named_field_by_field(body: Any, fields: set[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_scheduling(body, "p")
    assert {problem.field for problem in caught.value.problems} == fields
    assert all(problem.allowed for problem in caught.value.problems)


words = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=10)
terms = st.one_of(words.map("vm:{}".format), words.map("group:{}".format), st.tuples(words, words).map("=".join))
placements = st.fixed_dictionaries(
    {},
    optional={
        "host_labels": st.dictionaries(words, words, max_size=3),
        "group": words,
        "affinity": st.lists(terms, max_size=3, unique=True),
        "prefer_with": st.lists(terms, max_size=3, unique=True),
        "spread": st.lists(words.map(lambda by: {"by": by, "label": "tier"}), max_size=2, unique_by=str),
        "priority": st.one_of(st.integers(-1000, 1000), st.sampled_from(["critical", "batch"])),
        "pinned": st.booleans(),
        "cpu_features": st.lists(words, max_size=3, unique=True),
        "bandwidth_mbps": st.integers(0, 1000),
        "machine": st.sampled_from(["q35", "pc", "pc-q35-7.2"]),
        "numa": st.integers(0, 1),
        "huge_pages": st.booleans(),
    },
)


@given(placements)
def test_a_stored_scheduling_comes_back_as_it_was(body: dict[str, Any]) -> None:
    spec = parse_spec({"name": "a", "labels": {"tier": "db"}, "scheduling": body})
    again = VmSpec.from_stored(spec.to_mapping())
    assert again == spec
    assert spec.differences(again) == {}


@given(placements)
def test_where_it_is_to_be_is_no_part_of_what_the_vm_is(body: dict[str, Any]) -> None:
    plain = parse_spec({"name": "a", "labels": {"tier": "db"}})
    placed = parse_spec({"name": "a", "labels": {"tier": "db"}, "scheduling": body})
    # What shapes the VM itself is asked for in the same breath.
    shaped = any(body.get(field) for field in ("pinned", "machine", "numa", "huge_pages"))
    assert (placed.hash() == plain.hash()) is not shaped
    assert set(plain.differences(placed)) == ({"scheduling"} if placed.scheduling.to_mapping() else set())


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"cpu": 3, "scheduling": {"numa": 2}}, ["scheduling.numa"]),
        ({"cpu": 2, "ram": 513, "scheduling": {"numa": 2}}, ["scheduling.numa"]),
        ({"cpu": 3, "ram": 513, "scheduling": {"numa": 2}}, ["scheduling.numa", "scheduling.numa"]),
        ({"ram": 513, "scheduling": {"huge_pages": True}}, ["scheduling.huge_pages"]),
        ({"cpu": 2, "ram": 514, "scheduling": {"numa": 2, "huge_pages": True}}, ["scheduling.huge_pages"]),
        ({"cpu": 2, "ram": 516, "scheduling": {"numa": 2, "huge_pages": True}}, []),
        ({"cpu": 3, "ram": 513, "scheduling": {"numa": 1}}, []),
    ],
)
def test_nodes_have_equal_parts_and_pages_are_whole(body: dict[str, Any], fields: list[str]) -> None:
    if not fields:
        assert parse_spec({"name": "a", **body}).scheduling.numa == body["scheduling"]["numa"]
        return
    with pytest.raises(InputError) as caught:
        parse_spec({"name": "a", **body})
    assert [problem.field for problem in caught.value.problems] == fields


def test_a_spec_that_asks_for_no_place_is_stored_as_ever() -> None:
    assert set(VmSpec("a").to_mapping()) == {
        "name", "cpu", "ram_mib", "image", "disks", "nics", "cloud_init", "labels", "host",
    }  # fmt: skip
    assert VmSpec("web01").hash() == "c420b2f5ffe359fa"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_anything_is_read_or_refused_by_its_path(value: Any) -> None:
    for field in (
        "host_labels",
        "group",
        "affinity",
        "spread",
        "priority",
        "pinned",
        "cpu_features",
        "machine",
        "numa",
    ):
        try:
            read_scheduling({field: value})
        except InputError as error:
            assert all(problem.field.startswith(f"scheduling.{field}") for problem in error.problems)
