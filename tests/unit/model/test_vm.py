"""What callers write about a VM, read or refused."""

from __future__ import annotations

import json
import string
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.model.errors import InputError
from minicloud_core.model.vm import VERBS, VM_TRANSITIONS, DiskSpec, NicSpec, VmSpec, parse_spec


def fields_refused(body: dict[str, object]) -> set[str]:
    with pytest.raises(InputError) as caught:
        parse_spec(body)
    return {problem.field for problem in caught.value.problems}


def test_a_name_alone_is_enough() -> None:
    spec = parse_spec({"name": "web01"})
    assert (spec.cpu, spec.ram_mib, spec.image, spec.nics) == (1, 512, "tiny", (NicSpec(),))


def test_every_field_is_read() -> None:
    spec = parse_spec(
        {
            "name": "db1",
            "cpu": 2,
            "ram": "4G",
            "image": "debian-12",
            "disks": ["10G", {"size": "500M", "pool": "fast"}],
            "nics": ["default", {"network": "back", "model": "e1000e"}],
            "cloud_init": {"ssh_keys": ["ssh-ed25519 AAAA me"]},
            "labels": {"tier": "db"},
            "host": "node2",
        }
    )
    assert spec.ram_mib == 4096
    assert spec.disks == (DiskSpec(10 * 1024**3), DiskSpec(500 * 1024**2, "fast"))
    assert [nic.network for nic in spec.nics] == ["default", "back"]
    assert spec.host == "node2"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name"}),
        ({"name": "a", "cpu": -1}, {"cpu"}),
        ({"name": "a", "cpu": 0}, {"cpu"}),
        ({"name": "a", "cpu": True}, {"cpu"}),
        ({"name": "a", "cpu": 1.5}, {"cpu"}),
        ({"name": "a", "cpu": "2"}, {"cpu"}),
        ({"name": "a", "ram": "1P"}, {"ram"}),
        ({"name": "a", "ram": "1 PiB"}, {"ram"}),
        ({"name": "a", "ram": -512}, {"ram"}),
        ({"name": "a", "ram": float("nan")}, {"ram"}),
        ({"name": "a", "ram": "lots"}, {"ram"}),
        ({"name": "a/b"}, {"name"}),
        ({"name": "../etc"}, {"name"}),
        ({"name": "{{ lookup('pipe', 'id') }}"}, {"name"}),
        ({"name": "a\n"}, {"name"}),
        ({"name": "x" * 64}, {"name"}),
        ({"name": "a", "disks": ["0G"]}, {"disks.0.size"}),
        ({"name": "a", "disks": [{"pool": "p"}]}, {"disks.0.size"}),
        ({"name": "a", "disks": [{"size": 1, "colour": "red"}]}, {"disks.0.colour"}),
        ({"name": "a", "nics": "default"}, {"nics"}),
        ({"name": "a", "labels": {"a b": "c"}}, {"labels.a b"}),
        ({"name": "a", "cloud_init": {"user_data": "x", "ssh_keys": ["y"]}}, {"cloud_init.ssh_keys"}),
        ({"name": "a", "nmae": "b"}, {"nmae"}),
        ({"name": "A", "cpu": 0, "ram": "x", "what": 1}, {"name", "cpu", "ram", "what"}),
    ],
)
def test_what_is_wrong_is_named_field_by_field(body: dict[str, object], fields: set[str]) -> None:
    assert fields_refused(body) == fields


def test_each_problem_says_what_would_be_right() -> None:
    with pytest.raises(InputError) as caught:
        parse_spec({"name": "a/b", "cpu": -1, "ram": "1P"})
    assert all(problem.allowed for problem in caught.value.problems)


names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20)
bodies = st.fixed_dictionaries(
    {"name": names},
    optional={
        "cpu": st.integers(1, 64),
        "ram": st.integers(64, 65536),
        "labels": st.dictionaries(names, names, max_size=3),
        "disks": st.lists(st.integers(1, 100), max_size=3),
        "cloud_init": st.fixed_dictionaries({"user_data": st.text(max_size=50)}),
    },
)


@given(bodies)
def test_a_stored_spec_comes_back_as_it_was(body: dict[str, object]) -> None:
    spec = parse_spec(body)
    again = VmSpec.from_stored(spec.to_mapping())
    assert again == spec
    assert again.hash() == spec.hash()
    assert spec.differences(again) == {}


@given(bodies, bodies)
def test_equal_hashes_mean_equal_machines(one: dict[str, object], other: dict[str, object]) -> None:
    first, second = parse_spec(one), parse_spec(other)
    assert (first.hash() == second.hash()) == (first.differences(second) == {})


def test_the_host_asked_for_is_no_part_of_what_the_vm_is() -> None:
    plain, pinned = parse_spec({"name": "a"}), parse_spec({"name": "a", "host": "node1"})
    assert plain.hash() == pinned.hash()
    assert pinned.differences(plain) == {}
    assert set(plain.differences(pinned)) == {"host"}


def test_verbs_show_states_that_exist_and_can_be_left() -> None:
    for showing, _desired in VERBS.values():
        assert VM_TRANSITIONS.moves[showing]


def test_a_mapping_has_every_field() -> None:
    asked = {"name": "a", "disks": [{"size": "1G"}], "cloud_init": {"user_data": "#cloud-config"}}
    spec = parse_spec({**asked, "scheduling": {"group": "db"}})
    assert set(spec.to_mapping()) == {field.name for field in fields(VmSpec)}
    parts = ((spec.disks[0], "disks"), (spec.nics[0], "nics"), (spec.cloud_init, "cloud_init"))
    for part, key in parts:
        mapping = spec.to_mapping()[key]
        one = mapping[0] if isinstance(mapping, list) else mapping
        assert part is not None
        assert set(one) == {field.name for field in fields(part)}
    assert VmSpec.from_stored(json.loads(json.dumps(spec.to_mapping()))) == spec
