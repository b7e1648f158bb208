"""JSON as files carry it, read strictly: what a program would silently drop is an error."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from minicloud_core.model.errors import InputError, Problem


def decode(text: str | bytes, place: str) -> Any:
    """Read one JSON value.

    :param place: where the text stands, for the error: a file, or a file and a line.
    :raises InputError: naming the place of what is no JSON, of a field that is there twice, and of NaN or Infinity.
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
        raise InputError([Problem(place, str(error), "JSON in which each field is there once")]) from error


def placed(problem: Problem, place: str) -> Problem:
    """A problem with its file, and perhaps its line, before the field."""
    return Problem(f"{place}: {problem.field}" if problem.field else place, problem.message, problem.allowed)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _value in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"there twice: {', '.join(twice)}")
    return mapping


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
