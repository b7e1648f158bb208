"""Policies written down as mappings, and their versions."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from minicloud_core.model.errors import InputError
from minicloud_core.scheduler.filters import FILTERS
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.policy import BALANCED, PACK, POLICIES, SPREAD, Policy
from minicloud_core.scheduler.policy_document import read_policy
from minicloud_core.scheduler.scorers import SCORERS

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "policy.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

WHOLE: dict[str, Any] = {
    "name": "night",
    "filters": ["ready", "cpu", "memory"],
    "weights": {"free_cpu": 2, "load": 0.5},
    "full": {"at": 0.6, "weights": {"pack": 1}},
    "limits": {"cpu_overcommit": 2, "ram_reserved": "1G", "load_fresh": 60, "metrics_fresh": 900},
}


def problems(document: object) -> dict[str, str]:
    """What is wrong with it: for each field the message."""
    try:
        read_policy(document)
    except InputError as error:
        return {problem.field: problem.message for problem in error.problems}
    return {}


def test_what_is_said_is_what_counts() -> None:
    policy = read_policy(WHOLE)
    assert (policy.name, policy.filters) == ("night", ("ready", "cpu", "memory"))
    assert policy.weights_at(0.59) == {"free_cpu": 2.0, "load": 0.5}
    assert policy.weights_at(0.6) == {"pack": 1.0}
    assert policy.limits == Limits(2.0, 1024, 60.0, 900.0)


def test_what_is_not_said_is_the_usual() -> None:
    policy = read_policy({"name": "night", "weights": {"pack": 1}})
    assert policy.filters == tuple(FILTERS)
    assert policy.limits == Limits()
    assert policy.weights_at(1.0) == {"pack": 1.0}


def test_an_extended_policy_says_the_rest() -> None:
    assert read_policy({"name": "night", "extends": "balanced"}) == replace(BALANCED, name="night")
    tuned = read_policy({"name": "night", "extends": "balanced", "limits": {"load_fresh": 9}, "full": {"at": 0.5}})
    assert tuned == replace(BALANCED, name="night", limits=Limits(load_fresh_seconds=9.0), turn_at=0.5)


def test_a_table_of_weights_takes_the_place_of_the_extended_ones() -> None:
    policy = read_policy({"name": "night", "extends": "balanced", "weights": {"load": 1}})
    assert policy.weights == {"load": 1.0}
    assert policy.weights_full == BALANCED.weights_full


def test_an_extended_policy_can_be_kept_from_turning() -> None:
    policy = read_policy({"name": "night", "extends": "balanced", "full": "never"})
    assert policy.weights_at(1.0) == SPREAD.weights


def test_ready_may_be_left_out_and_all_hosts_may_be_alike() -> None:
    policy = read_policy({"name": "first-fit", "filters": ["memory"], "weights": {}})
    assert (policy.filters, policy.weights) == (("memory",), {})


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"name": "Night"}, "name", "'Night' is not a name"),
        ({"name": 7}, "name", "7 is not a name"),
        ({"name": "pack"}, "name", "pack is the name of a shipped policy"),
        ({"extends": "packed"}, "extends", "'packed' is not a shipped policy"),
        ({"extends": ["pack"]}, "extends", "['pack'] is not a shipped policy"),
        ({"filters": "cpu"}, "filters", "'cpu' is not a list"),
        ({"filters": []}, "filters", "an empty list would let every host pass"),
        ({"filters": ["cpu", "colour"]}, "filters.1", "'colour' is not a filter"),
        ({"filters": [["cpu"]]}, "filters.0", "['cpu'] is not a filter"),
        ({"filters": ["memory", "cpu", "memory"]}, "filters.2", "memory is named twice, as filters.0 and as filters.2"),
        ({"weights": None}, "weights", "None is not a table"),
        ({"weights": {"charm": 1}}, "weights.charm", "'charm' is not a scorer"),
        ({"weights": {"load": 0}}, "weights.load", "0 is not a weight"),
        ({"weights": {"load": True}}, "weights.load", "True is not a weight"),
        ({"weights": {"load": "1"}}, "weights.load", "'1' is not a weight"),
        ({"weights": {"load": float("nan")}}, "weights.load", "nan is not a weight"),
        ({"weights": {"load": float("inf")}}, "weights.load", "inf is not a weight"),
        ({"weights": {"load": 10**400}}, "weights.load", "is not a weight"),
        ({"full": True}, "full", "True does not say when"),
        ({"full": {}}, "full", "{} does not say when"),
        ({"full": {"at": 0.3}}, "full.weights", "nothing says what counts then"),
        ({"full": {"weights": {"pack": 1}}}, "full.at", "nothing says from when"),
        ({"full": {"at": 0, "weights": {"pack": 1}}}, "full.at", "0 is not a share"),
        ({"full": {"at": 30, "weights": {"pack": 1}}}, "full.at", "30 is not a share"),
        ({"full": {"at": 0.3, "weights": {"charm": 1}}}, "full.weights.charm", "'charm' is not a scorer"),
        ({"full": {"at": 0.3, "weights": {"pack": 1}, "to": 1}}, "full.to", "'to' is not a field"),
        ({"limits": 4}, "limits", "4 is not a table"),
        ({"limits": {"cpu_overcommit": 0}}, "limits.cpu_overcommit", "0 is no such number"),
        ({"limits": {"ram_reserved": "lots"}}, "limits.ram_reserved", "'lots' is not a size"),
        ({"limits": {"ram_reserved": "1.3M"}}, "limits.ram_reserved", "not a whole number of MiB"),
        ({"limits": {"ram_reserved": "2P"}}, "limits.ram_reserved", "more than a host has"),
        ({"limits": {"load_fresh": 1e300}}, "limits.load_fresh", "is no such number"),
        ({"limits": {"metrics_fresh": "sometimes"}}, "limits.metrics_fresh", "is no such number"),
        ({"limits": {"swap": 1}}, "limits.swap", "'swap' is not a field"),
        ({"filter": ["cpu"]}, "filter", "'filter' is not a field"),
    ],
)
def test_a_mistake_is_named_by_its_field(changes: dict[str, Any], field: str, message: str) -> None:
    found = problems({**WHOLE, **changes})
    assert list(found) == [field]
    assert message in found[field]


def test_every_mistake_is_named_at_once() -> None:
    document = {"extends": "x", "filters": ["y"], "weights": {"z": 1}, "full": {"at": 2}, "limits": {"swap": 1}}
    assert set(problems(document)) == {"name", "extends", "filters.0", "weights.z", "full.at", "limits.swap"}


def test_a_policy_says_which_host_is_better_or_extends_one_that_does() -> None:
    assert problems({"name": "night"}) == {"weights": "nothing says which host is better"}
    for nothing in (None, [], "pack"):
        assert problems(nothing) == {"": "this is no policy"}


def test_what_would_be_right_is_said() -> None:
    with pytest.raises(InputError) as caught:
        read_policy({**WHOLE, "wieghts": {}})
    assert caught.value.problems[0].allowed.startswith("weights, perhaps; one of name, extends")


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_shipped_policy_reads_as_what_it_writes(policy: Policy) -> None:
    mapping = policy.to_mapping()
    assert read_policy(json.loads(json.dumps(mapping))) == policy
    assert not list(VALIDATOR.iter_errors(mapping))


def test_a_policy_says_all_that_it_holds() -> None:
    assert {field.name for field in fields(Policy)} == {
        "name", "filters", "weights", "limits", "turn_at", "weights_full"
    }, "to_mapping and read_policy should carry it too"  # fmt: skip
    assert len(PACK.to_mapping()["limits"]) == len(fields(Limits)), "to_mapping and read_policy should carry it too"


def test_a_version_is_of_what_is_said_not_of_how() -> None:
    again = json.loads(json.dumps(WHOLE, sort_keys=True))
    again["weights"] = {"load": 0.5, "free_cpu": 2.0}
    again["limits"]["ram_reserved"] = 1024
    assert list(again) != list(WHOLE)
    assert read_policy(again).version == read_policy(WHOLE).version
    assert len(PACK.version) == 12
    assert int(PACK.version, 16) > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "day"},
        {"filters": ["ready", "cpu"]},
        {"weights": {"free_cpu": 2, "load": 0.6}},
        {"full": "never"},
        {"full": {"at": 0.7, "weights": {"pack": 1}}},
        {"full": {"at": 0.6, "weights": {"pack": 2}}},
        {"limits": {}},
    ],
)
def test_another_policy_has_another_version(changes: dict[str, Any]) -> None:
    assert read_policy({**WHOLE, **changes}).version != read_policy(WHOLE).version


def test_an_extension_has_the_version_of_the_whole() -> None:
    extension = read_policy({"name": "night", "extends": "pack"})
    assert read_policy(extension.to_mapping()).version == extension.version != PACK.version


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2000), st.floats(-1, 1e9), st.sampled_from(["", "1G", "night", "lots"])
)
NAMES = st.sampled_from([*SCORERS, "Charm"])
WEIGHTS = st.dictionaries(NAMES, st.one_of(st.floats(0.001, 1e6), st.integers(-1, 3), SCALARS), max_size=3)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(st.sampled_from(["night", "x" * 64, "a_b"]), SCALARS),
        "extends": st.one_of(st.sampled_from(list(POLICIES)), SCALARS),
        "filters": st.one_of(st.lists(st.one_of(st.sampled_from([*FILTERS, "Colour"]), SCALARS), max_size=3), SCALARS),
        "weights": st.one_of(WEIGHTS, SCALARS),
        "full": st.one_of(
            st.just("never"),
            st.fixed_dictionaries({}, optional={"at": st.one_of(st.floats(0, 1), SCALARS), "weights": WEIGHTS}),
            SCALARS,
        ),
        "limits": st.one_of(
            st.fixed_dictionaries(
                {},
                optional={
                    "cpu_overcommit": SCALARS,
                    "ram_reserved": st.one_of(st.sampled_from(["256M", "1.5 GiB", "-1", "2PB"]), SCALARS),
                    "load_fresh": SCALARS,
                    "metrics_fresh": st.one_of(st.just("never"), SCALARS),
                    "swap": SCALARS,
                },
            ),
            SCALARS,
        ),
        "filter": SCALARS,
    },
)
# What the schema leaves to the registries and to arithmetic.
BEYOND_THE_SCHEMA = (
    "is not a shipped policy", "is not a filter", "is not a scorer", "is the name of a shipped policy",
    "not a whole number of MiB", "more than a host has",
)  # fmt: skip


@given(DOCUMENTS)
def test_the_schema_and_the_reader_agree(document: dict[str, Any]) -> None:
    found = problems(document).values()
    if not VALIDATOR.is_valid(document):
        assert found
    elif found:
        assert all(any(words in message for words in BEYOND_THE_SCHEMA) for message in found), found


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert VALIDATOR.is_valid(WHOLE)
