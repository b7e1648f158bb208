"""What is asked of a VM's place, from the command line's words to the API's body and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from .vm_spec import labels_from


def scheduling_from(
    *,
    host_labels: Sequence[str],
    group: str | None,
    terms: Mapping[str, Sequence[str]],
    spread: Sequence[str],
    priority: str | None,
    pinned: bool,
    cpu_features: Sequence[str],
    bandwidth_mbps: int | None,
    machine: str | None,
    numa: int,
    huge_pages: bool,
) -> dict[str, Any] | None:
    """The ``scheduling`` of a create; None when nothing was said.

    :param terms: by the API's field the terms given to its option.
    :raises typer.BadParameter: a word without the shape of its option.
    """
    said: dict[str, Any] = {
        "host_labels": labels_from(host_labels, option="--host-label"),
        "group": group,
        **{field: list(words) for field, words in terms.items()},
        "spread": [_spread(word) for word in spread],
        "priority": None if priority is None else _priority(priority),
        "pinned": pinned,
        "cpu_features": list(cpu_features),
        "bandwidth_mbps": bandwidth_mbps,
        "machine": machine,
        "numa": numa,
        "huge_pages": huge_pages,
    }
    return {field: value for field, value in said.items() if value} or None


def describe_scheduling(scheduling: Mapping[str, Any]) -> str:
    """What was asked, in the words of the options that ask for it."""
    return " ".join(f"--{option} {value}".rstrip() for option, value in _options(scheduling))


def _options(scheduling: Mapping[str, Any]) -> list[tuple[str, str]]:
    options = [("host-label", f"{key}={value}") for key, value in (scheduling.get("host_labels") or {}).items()]
    for field in ("affinity", "anti_affinity", "prefer_with", "prefer_apart"):
        options += [(field.replace("_", "-"), term) for term in scheduling.get(field) or ()]
    options += [("spread", _spread_word(spread)) for spread in scheduling.get("spread") or ()]
    options += [("cpu-feature", feature) for feature in scheduling.get("cpu_features") or ()]
    named = ("group", "priority", "machine", "numa")
    options += [(field, str(scheduling[field])) for field in named if scheduling.get(field)]
    if scheduling.get("bandwidth_mbps"):
        options.append(("bandwidth", str(scheduling["bandwidth_mbps"])))
    return options + [(field.replace("_", "-"), "") for field in ("pinned", "huge_pages") if scheduling.get(field)]


def _priority(word: str) -> int | str:
    """A number, or a class that the service's policy names."""
    try:
        return int(word)
    except ValueError:
        return word


def _spread(word: str) -> dict[str, Any]:
    """``rack``, ``rack:2`` or ``rack:2:tier``."""
    by, *rest = word.split(":", 2)
    spread: dict[str, Any] = {"by": by}
    if rest:
        if not rest[0].isdecimal():
            message = f"{rest[0]!r} is not a number of VMs; rack, rack:2 and rack:2:tier have the right form"
            raise typer.BadParameter(message, param_hint="--spread")
        spread["at_most"] = int(rest[0])
    if len(rest) > 1:
        spread["label"] = rest[1]
    return spread


def _spread_word(spread: Mapping[str, Any]) -> str:
    word = f"{spread['by']}:{spread['at_most']}"
    return f"{word}:{spread['label']}" if spread.get("label") else word
