"""The figures, as Prometheus reads them."""

from __future__ import annotations

from typing import Final

from prometheus_client import generate_latest
from starlette.requests import Request
from starlette.responses import Response

from .call import room_of

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def read(request: Request) -> Response:
    """Read all figures in Prometheus' text format."""
    return Response(generate_latest(room_of(request).registry), media_type=MEDIA_TYPE)
