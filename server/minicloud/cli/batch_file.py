"""The file of `minicloud vm create --file`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import typer
import yaml

_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
_HINT: Final = "--file"


def read_batch(file: Path) -> dict[str, Any]:
    """A batch from a file, YAML or JSON: a list of VMs, or ``vms`` with ``groups`` and ``all``.

    :param file: ``-`` is the standard input.
    :raises typer.BadParameter: when it cannot be read. What the fields mean is the service's to say.
    """
    try:
        text = sys.stdin.read() if file == Path("-") else file.read_text(encoding="utf-8")
        value = yaml.load(text, Loader=_Loader)
        json.dumps(value, allow_nan=False)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint=_HINT) from error
    except yaml.YAMLError as error:
        raise typer.BadParameter(f"{file} is neither YAML nor JSON: {error}", param_hint=_HINT) from error
    except (TypeError, ValueError) as error:
        raise typer.BadParameter(f"{file} holds what JSON has no word for: {error}", param_hint=_HINT) from error
    if isinstance(value, list):
        return {"vms": value}
    if not isinstance(value, dict):
        raise typer.BadParameter(f"{file} has neither a list of VMs nor a mapping with vms", param_hint=_HINT)
    return value


class _Loader(yaml.SafeLoader):
    """YAML as JSON would have it: no dates, and each field once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: set[str] = set()
        for key, _value in node.value:
            if key.value in names:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
