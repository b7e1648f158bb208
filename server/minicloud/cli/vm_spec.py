"""A VM's spec from the command line's words to the API's body; what is right is the service's to say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer


def spec_from(
    name: str | None,
    *,
    cpu: int | None,
    ram: str | None,
    image: str | None,
    disks: Sequence[str],
    nics: Sequence[str],
    labels: Sequence[str],
    host: str | None,
    scheduling: dict[str, Any] | None,
    user_data: Path | None,
    network_config: Path | None,
    ssh_keys: Sequence[str],
) -> dict[str, Any]:
    """The body of a create, or of a reservation, which may go without a name. What was not said is left out, so that
    the service's defaults apply.

    :raises typer.BadParameter: a file that cannot be read, or a word without the shape of its option.
    """
    spec: dict[str, Any] = {
        "name": name,
        "cpu": cpu,
        "ram": _number_or_text(ram),
        "image": image,
        "disks": [_pair(disk, "size", "pool") for disk in disks] or None,
        "nics": [_pair(nic, "network", "model") for nic in nics] or None,
        "labels": labels_from(labels) or None,
        "host": host,
        "scheduling": scheduling,
        "cloud_init": _cloud_init(user_data, network_config, ssh_keys),
    }
    return {key: value for key, value in spec.items() if value is not None}


def labels_from(words: Sequence[str], *, option: str = "--label") -> dict[str, str]:
    """A mapping from ``key=value`` words.

    :raises typer.BadParameter: a word without the equals sign.
    """
    return dict(_key_value(word, option) for word in words)


def _number_or_text(word: str | None) -> int | str | None:
    return int(word) if word is not None and word.isdigit() else word


def _pair(word: str, first: str, second: str) -> dict[str, str]:
    """``10G`` or ``10G:pool``."""
    value, separator, rest = word.partition(":")
    return {first: value, second: rest} if separator else {first: value}


def _key_value(word: str, option: str) -> tuple[str, str]:
    key, separator, value = word.partition("=")
    if not separator or not key:
        raise typer.BadParameter(f"{word!r} lacks a key or a value; key=value has both", param_hint=option)
    return key, value


def _cloud_init(user_data: Path | None, network_config: Path | None, ssh_keys: Sequence[str]) -> dict[str, Any] | None:
    parts: dict[str, Any] = {}
    if user_data is not None:
        parts["user_data"] = _read(user_data, "--user-data")
    if network_config is not None:
        parts["network_config"] = _read(network_config, "--network-config")
    if ssh_keys:
        parts["ssh_keys"] = [_ssh_key(word) for word in ssh_keys]
    return parts or None


def _ssh_key(word: str) -> str:
    """A public key as such, or the file that holds it."""
    if word.startswith(("ssh-", "ecdsa-", "sk-")):
        return word
    return _read(Path(word).expanduser(), "--ssh-key").strip()


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise typer.BadParameter(f"{path} cannot be read: {reason}", param_hint=option) from error
