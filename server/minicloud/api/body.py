"""Request bodies: JSON objects of a bounded size, whatever content type the client claims."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NoReturn, TypeVar

from minicloud_core.model.errors import InputError, Problem, TooLargeError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from .problem import MalformedBodyError

BODY_LIMIT: Final = 1024 * 1024
# A client that is still sending does not read our answer; what it has under way is read away, up to this.
_DRAIN_LIMIT: Final = 32 * BODY_LIMIT

Body = TypeVar("Body", bound=BaseModel)


async def read_bytes(request: Request) -> bytes:
    """The body's bytes.

    :raises TooLargeError: as soon as they are more than ``BODY_LIMIT``.
    """
    announced = request.headers.get("content-length", "")
    too_large = announced.isdigit() and int(announced) > BODY_LIMIT
    if too_large and request.headers.get("expect", "").lower() == "100-continue":
        raise _too_large()
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= BODY_LIMIT:
            chunks.append(chunk)
        elif size > _DRAIN_LIMIT:
            break
    if size > BODY_LIMIT:
        raise _too_large()
    return b"".join(chunks)


def decode_object(raw: bytes) -> dict[str, Any]:
    """Read a JSON object; nothing at all counts as an empty one.

    :raises MalformedBodyError: when it is not JSON, with the position.
    :raises InputError: when it is JSON, but no object.
    """
    if not raw.strip():
        return {}
    try:
        text = raw.decode("utf-8")
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object_without_repeats)
        _check_characters(text, value)
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise _malformed(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise _malformed("it is nested too deeply") from error
    except ValueError as error:
        raise _malformed(str(error)) from error
    if not isinstance(value, dict):
        raise InputError([Problem("", f"the body is {_name_kind(value)}", 'an object such as {"name": "web01"}')])
    return value


def parse(shape: type[Body], body: dict[str, Any]) -> Body:
    """Read a body into its shape.

    :raises InputError: naming every field that is wrong.
    """
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        raise InputError([problem_of_validation(item, shape) for item in error.errors(include_url=False)]) from error


def problem_of_validation(item: Any, shape: type[BaseModel] | None = None) -> Problem:
    """One of pydantic's findings in our words."""
    path = ".".join(str(part) for part in item["loc"] if not str(part).startswith("function-"))
    if item["type"] == "extra_forbidden" and shape is not None and len(item["loc"]) == 1:
        return Problem(path, "unknown field", "one of " + ", ".join(shape.model_fields) if shape.model_fields else "")
    allowed = item.get("ctx", {}).get("expected", "")
    return Problem(path, item["msg"].removeprefix("Value error, "), str(allowed))


def _too_large() -> TooLargeError:
    return TooLargeError(f"a body may have {BODY_LIMIT} bytes, this one has more", details={"limit": BODY_LIMIT})


def _malformed(what: str) -> MalformedBodyError:
    return MalformedBodyError(f"the body is not JSON: {what}", hint='a JSON object such as {"name": "web01"}')


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _object_without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [pair[0] for pair in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated[:100]!r} comes twice")
    return mapping


def _check_characters(text: str, value: Any) -> None:
    """Refuse what no database column can hold: NUL, and halves of surrogate pairs."""
    if "\\u" not in text:
        return
    plain = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in plain.replace("\\\\", ""):
        raise ValueError("a text in it contains a NUL character")
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise ValueError("a text in it contains half of a surrogate pair") from None


def _name_kind(value: Any) -> str:
    kinds = {list: "a list", str: "a text", bool: "a boolean", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
