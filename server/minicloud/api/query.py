"""Query parameters that nobody reads: refused, for a misspelt ``dry_run`` would change things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minicloud_core.model.errors import InputError, Problem
from starlette.requests import Request

# For each method and path, the parameters that are described there, and whether they may come more than once.
Known = Mapping[tuple[str, str], Mapping[str, bool]]


def known_parameters(document: Mapping[str, Any]) -> Known:
    """Read them off the API's description."""
    return {
        (method.upper(), path): {
            parameter["name"]: parameter["schema"].get("type") == "array"
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query"
        }
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def check_query(request: Request) -> None:
    """
    :raises InputError: naming each parameter that is unknown here, or comes twice where one is read.
    """
    if not request.query_params:
        return
    known = request.app.state.parameters[request.method, request.scope["route"].path]
    problems = []
    for name in request.query_params:
        if name not in known:
            problems.append(Problem(name, "unknown parameter", "one of " + ", ".join(known) if known else "none"))
        elif not known[name] and len(request.query_params.getlist(name)) > 1:
            problems.append(Problem(name, "it comes more than once", "one value"))
    if problems:
        raise InputError(problems)
