"""The stream of everything that changes."""

from __future__ import annotations

from collections.abc import Iterator

from .stream import ServerEvent, follow
from .transport import Transport


class Events:
    """``/v1/events``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def follow(
        self,
        *,
        vm: str | None = None,
        operation: str | None = None,
        after: str | None = None,
        silence: float = 20.0,
    ) -> Iterator[ServerEvent | None]:
        """Events as they happen, for ever; see :func:`minicloud.client.stream.follow`.

        :param vm: only those of one VM, by id or name.
        :param operation: only those of one operation.
        :param after: the id of an event to resume after; ``"0"`` for everything that is still kept.
        :param silence: seconds without a byte after which the connection is made anew.
        """
        params = {"vm": vm, "operation": operation}
        return follow(self._transport, "/v1/events", params=params, after=after, silence=silence)
