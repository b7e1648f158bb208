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
from minicloud_core.scheduler.limits import HostGroup, Limits
from minicloud_core.scheduler.policy import BALANCED, PACK, POLICIES, SPREAD, USUAL_FILTERS, Policy
from minicloud_core.scheduler.policy_document import read_policy
from minicloud_core.scheduler.priority import Precedence
from minicloud_core.scheduler.scorers import SCORERS

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "policy.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

WHOLE: dict[str, Any] = {
    "name": "night",
    "filters": ["ready", "cpu", "memory"],
    "weights": {"free_cpu": 2, "load": 0.5},
    "full": {"at": 0.6, "weights": {"pack": 1}},
    "limits": {"cpu_overcommit": 2, "ram_reserved": "1G", "load_fresh": 60, "metrics_fresh": 900, "creates_at_once": 8},
}
# Parts of a policy for some VMs or hosts, each of which could be in WHOLE.
PROJECTS: dict[str, Any] = {"batch": {"extends": "pack"}, "shop": {"weights": {"load": 1}, "full": "never"}}
GROUPS: list[dict[str, Any]] = [
    {"labels": {"tier": "gold"}, "limits": {"cpu_overcommit": 1}},
    {"labels": {"tier": "gold", "size": "small"}, "limits": {"ram_reserved": "2G", "metrics_fresh": "never"}},
]


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
    assert policy.limits == Limits(2.0, 1024, 60.0, 900.0, 8.0)


def test_what_is_not_said_is_the_usual() -> None:
    policy = read_policy({"name": "night", "weights": {"pack": 1}})
    assert policy.filters == USUAL_FILTERS
    assert set(FILTERS) - set(USUAL_FILTERS) <= {"n_plus_one"}
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
        ({"limits": {"creates_at_once": 0}}, "limits.creates_at_once", "is no such number"),
        ({"limits": {"creates_at_once": 1.5}}, "limits.creates_at_once", "is no such number"),
        ({"limits": {"swap": 1}}, "limits.swap", "'swap' is not a field"),
        ({"filter": ["cpu"]}, "filter", "'filter' is not a field"),
        ({"preemption": True}, "preemption", "True does not say whose place"),
        ({"preemption": {}}, "preemption", "{} does not say whose place"),
        ({"preemption": {"from": 10}}, "preemption.victims_below", "says no victims_below"),
        ({"preemption": {"victims_below": 10}}, "preemption.from", "says no from"),
        ({"preemption": {"from": 1, "victims_below": 2}}, "preemption.victims_below", "2 is above preemption.from, 1"),
        ({"preemption": {"from": "1", "victims_below": 0}}, "preemption.from", "'1' is no such number"),
        ({"preemption": {"from": 1, "victims_below": 0, "at_most": 0}}, "preemption.at_most", "0 is no such number"),
        ({"preemption": {"from": 1, "victims_below": 0, "to": 0}}, "preemption.to", "'to' is not a field"),
        ({"projects": ["batch"]}, "projects", "['batch'] is not a table"),
        ({"projects": {"batch": "pack"}}, "projects.batch", "'pack' says nothing of its own"),
        ({"projects": {"batch": {}}}, "projects.batch", "{} says nothing of its own"),
        ({"projects": {"Batch": {"full": "never"}}}, "projects.Batch", "'Batch' is not a project's name"),
        ({"projects": {"batch": {"extends": "packed"}}}, "projects.batch.extends", "is not a shipped policy"),
        ({"projects": {"batch": {"limits": {}}}}, "projects.batch.limits", "'limits' is not a field"),
        ({"projects": {"batch": {"filters": ["cpu", "x"]}}}, "projects.batch.filters.1", "'x' is not a filter"),
        ({"projects": {"batch": {"weights": {"load": 0}}}}, "projects.batch.weights.load", "0 is not a weight"),
        ({"projects": {"batch": {"full": {"at": 2}}}}, "projects.batch.full.at", "2 is not a share"),
        ({"priority_classes": 7}, "priority_classes", "7 is not a table"),
        ({"priority_classes": {"critical": 1001}}, "priority_classes.critical", "1001 is not a priority"),
        ({"priority_classes": {"critical": True}}, "priority_classes.critical", "True is not a priority"),
        ({"priority_classes": {"Very Critical": 5}}, "priority_classes.Very Critical", "is not a class's name"),
        ({"projects": {"batch": {"priority_classes": {}}}}, "projects.batch.priority_classes", "is not a field"),
        ({"projects": {"batch": {"preemption": 7}}}, "projects.batch.preemption", "7 does not say whose place"),
        ({"host_groups": {"tier": "gold"}}, "host_groups", "is not a list"),
        ({"host_groups": ["gold"]}, "host_groups.0", "'gold' is not a group of hosts"),
        ({"host_groups": [{"limits": {"load_fresh": 1}}]}, "host_groups.0.labels", "a group without labels"),
        ({"host_groups": [{"labels": {"a": "b"}}]}, "host_groups.0.limits", "a group without limits"),
        ({"host_groups": [{**GROUPS[0], "labels": {}}]}, "host_groups.0.labels", "{} says nothing"),
        ({"host_groups": [{**GROUPS[0], "labels": {"a b": "c"}}]}, "host_groups.0.labels.a b", "not a label key"),
        ({"host_groups": [{**GROUPS[0], "limits": {"swap": 1}}]}, "host_groups.0.limits.swap", "'swap' is not a field"),
        ({"host_groups": [*GROUPS, GROUPS[0]]}, "host_groups.2.labels", "the same hosts as host_groups.0"),
        ({"host_groups": [{**GROUPS[0], "weights": {}}]}, "host_groups.0.weights", "'weights' is not a field"),
    ],
)
def test_a_mistake_is_named_by_its_field(changes: dict[str, Any], field: str, message: str) -> None:
    found = problems({**WHOLE, **changes})
    assert list(found) == [field]
    assert message in found[field]


def test_a_projects_section_says_what_is_different_for_it() -> None:
    policy = read_policy({**WHOLE, "projects": PROJECTS})
    assert policy.of("other") is policy
    assert policy.of("batch") == replace(PACK, name="night", limits=policy.limits)
    shop = policy.of("shop")
    assert (shop.filters, shop.weights) == (policy.filters, {"load": 1.0})
    assert (shop.weights_at(1.0), shop.limits) == ({"load": 1.0}, policy.limits)


def test_a_projects_half_of_full_is_completed_from_what_counts_for_all() -> None:
    policy = read_policy({**WHOLE, "projects": {"shop": {"full": {"at": 0.9}}}})
    assert (policy.of("shop").turn_at, policy.of("shop").weights_full) == (0.9, policy.weights_full)


def test_a_group_of_hosts_has_figures_of_its_own() -> None:
    gold, small = read_policy({**WHOLE, "host_groups": GROUPS}).limits.groups
    assert gold == HostGroup({"tier": "gold"}, cpu_overcommit=1.0)
    assert small == HostGroup(
        {"tier": "gold", "size": "small"}, ram_reserved_mib=2048, metrics_fresh_seconds=float("inf")
    )


def test_priority_classes_are_read_and_count_for_every_project() -> None:
    classes = {"critical": 500, "batch": -100}
    policy = read_policy({**WHOLE, "priority_classes": classes, "projects": {"shop": {"extends": "pack"}}})
    assert policy.priority_classes == policy.of("shop").priority_classes == classes
    assert read_policy(json.loads(json.dumps(policy.to_mapping()))) == policy
    assert "priority_classes" not in read_policy(WHOLE).to_mapping()


def test_preemption_is_read_and_extended() -> None:
    said = {**WHOLE, "preemption": {"from": 100, "victims_below": 50}}
    policy = read_policy({**said, "projects": {"batch": {"preemption": "never"}, "db": {"preemption": {"at_most": 1}}}})
    assert policy.preemption == Precedence(100, 50, 4)
    assert policy.of("batch").preemption is None
    assert policy.of("db").preemption == Precedence(100, 50, 1)


def test_sections_read_as_what_they_write() -> None:
    document = {**WHOLE, "preemption": {"from": 9, "victims_below": 0}, "projects": PROJECTS, "host_groups": GROUPS}
    policy = read_policy(document)
    mapping = json.loads(json.dumps(policy.to_mapping()))
    assert read_policy(mapping) == policy
    assert not list(VALIDATOR.iter_errors(document))
    assert not list(VALIDATOR.iter_errors(mapping))


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
        "name", "filters", "weights", "limits", "turn_at", "weights_full", "preemption", "projects",
        "priority_classes",
    }, "to_mapping and read_policy should carry it too"  # fmt: skip
    figures = {field.name for field in fields(Limits)} - {"groups"}
    assert len(PACK.to_mapping()["limits"]) == len(figures), "to_mapping and read_policy should carry it too"
    assert figures == set(HostGroup.FIGURES) == {field.name for field in fields(HostGroup)} - {"labels"}


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
        {"preemption": {"from": 1, "victims_below": 0}},
        {"priority_classes": {"critical": 500}},
        {"projects": PROJECTS},
        {"host_groups": GROUPS},
        {"host_groups": GROUPS[::-1]},
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
PREEMPTIONS = st.one_of(
    st.just("never"),
    st.fixed_dictionaries(
        {},
        optional={
            "from": st.one_of(st.integers(-2, 2), SCALARS),
            "victims_below": st.one_of(st.integers(-2, 2), SCALARS),
            "at_most": st.one_of(st.integers(0, 65), SCALARS),
        },
    ),
)
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
                    "creates_at_once": st.one_of(st.just("any"), SCALARS),
                    "swap": SCALARS,
                },
            ),
            SCALARS,
        ),
        "priority_classes": st.one_of(
            st.dictionaries(st.sampled_from(["batch", "critical-db", "No", ""]), st.one_of(st.integers(), SCALARS)),
            SCALARS,
        ),
        "filter": SCALARS,
        "preemption": st.one_of(PREEMPTIONS, SCALARS),
        "projects": st.one_of(
            st.dictionaries(
                st.sampled_from(["shop", "a-b", "No"]),
                st.one_of(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "extends": st.one_of(st.sampled_from(list(POLICIES)), SCALARS),
                            "weights": st.one_of(WEIGHTS, SCALARS),
                            "full": st.one_of(st.just("never"), SCALARS),
                            "preemption": st.one_of(PREEMPTIONS, SCALARS),
                            "limits": SCALARS,
                        },
                    ),
                    SCALARS,
                ),
                max_size=2,
            ),
            SCALARS,
        ),
        "host_groups": st.one_of(
            st.lists(
                st.one_of(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "labels": st.one_of(
                                st.dictionaries(st.sampled_from(["tier", "a b"]), st.sampled_from(["x", "ü"])), SCALARS
                            ),
                            "limits": st.one_of(
                                st.dictionaries(st.sampled_from(["cpu_overcommit", "load_fresh", "swap"]), SCALARS),
                                SCALARS,
                            ),
                            "weights": SCALARS,
                        },
                    ),
                    SCALARS,
                ),
                max_size=2,
            ),
            SCALARS,
        ),
    },
)
# What the schema leaves to the registries and to arithmetic.
BEYOND_THE_SCHEMA = (
    "is not a shipped policy", "is not a filter", "is not a scorer", "is the name of a shipped policy",
    "not a whole number of MiB", "more than a host has", "would take turns to leave", "which would count alone",
    "the preemption says no",
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
