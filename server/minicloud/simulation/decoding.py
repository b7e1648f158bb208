"""JSON as files carry it, read strictly: what a program would silently drop is an error."""

from __future__ import annotations

import json
from typing import Any, Final

from minicloud_core.model.errors import InputError, Problem


def decode(text: str | bytes, place: str) -> Any:
    """Read one JSON value. NaN and Infinity are read as numbers, which whoever reads the field refuses.

    :param place: where the text stands, for the error: a file, or a file and a line.
    :raises InputError: naming the place of what is no JSON, and of a field that is there twice.
    """
    try:
        return _DECODER.decode(text.decode() if isinstance(text, bytes) else text)
    except json.JSONDecodeError as error:
        where = f"{place}, column {error.colno}" if error.lineno == 1 else f"{place}:{error.lineno}:{error.colno}"
        raise InputError([Problem(where, f"not JSON: {error.msg}", "one JSON value")]) from error
    except UnicodeDecodeError as error:
        raise InputError([Problem(place, f"not UTF-8 text, at byte {error.start}", "JSON in UTF-8")]) from error
    except RecursionError as error:
        raise InputError([Problem(place, "nested too deeply to be read", "a fleet or a request")]) from error
    except ValueError as error:
        raise InputError([Problem(place, str(error), "each field once, and numbers of a sane length")]) from error


def placed(problem: Problem, place: str) -> Problem:
    """A problem with its file, and perhaps its line, before the field."""
    return Problem(f"{place}: {problem.field}" if problem.field else place, problem.message, problem.allowed)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _value in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        owner = f" in {mapping['id']!r}" if "id" in mapping else ""
        raise ValueError(f"there twice{owner}: {', '.join(twice)}")
    return mapping


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object)
