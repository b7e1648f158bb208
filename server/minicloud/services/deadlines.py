"""When reservations end that a fleet counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final

# So many that have gone are never worth clearing out.
_GONE_AT_MOST: Final = 64


class Deadlines:
    """Reservations that are said to be held, by host. A reservation has *lapsed* when its time is over and nobody has
    written that down yet."""

    def __init__(self) -> None:
        self._until: dict[str, dict[str, datetime]] = {}
        self._lapsed: dict[str, set[str]] = {}
        # Those that have gone meanwhile are passed over when their turn comes, or cleared out once they are most.
        self._queue: list[tuple[datetime, str, str]] = []
        self._gone = 0

    def note(self, reservation: str, host: str, until: datetime) -> None:
        """A reservation is held on a host until a moment."""
        on = self._until.setdefault(host, {})
        if on.get(reservation) != until:
            on[reservation] = until
            heappush(self._queue, (until, reservation, host))

    def forget(self, reservation: str, host: str) -> None:
        """A reservation has ended, and that is written down."""
        known = self._until.get(host, {}).pop(reservation, None) is not None
        lapsed = reservation in self._lapsed.get(host, ())
        if lapsed:
            self._lapsed[host].remove(reservation)
        self._gone += known and not lapsed
        if self._gone > _GONE_AT_MOST and 2 * self._gone > len(self._queue):
            self._clear_out()

    def renew(self, host: str, held: Mapping[str, datetime]) -> None:
        """All that is held on a host, each until a moment. What has lapsed there has to be looked for again."""
        for reservation in self._until.get(host, {}).keys() - held.keys():
            self.forget(reservation, host)
        for reservation in self._lapsed.pop(host, set()):
            self._until[host].pop(reservation, None)
        for reservation, until in held.items():
            self.note(reservation, host, until)

    def pass_to(self, now: datetime) -> Iterator[str]:
        """The reservations that lapse as time goes on, each once."""
        while self._queue and self._queue[0][0] <= now:
            until, reservation, host = heappop(self._queue)
            lapsed = self._lapsed.setdefault(host, set())
            if self._until.get(host, {}).get(reservation) == until and reservation not in lapsed:
                lapsed.add(reservation)
                yield reservation

    def _clear_out(self) -> None:
        self._queue = [one for one in self._queue if self._until.get(one[2], {}).get(one[1]) == one[0]]
        heapify(self._queue)
        self._gone = 0

    def lapsed(self, hosts: Iterable[str]) -> list[str]:
        """Those that have lapsed on some hosts, in the order of their ids."""
        return sorted(reservation for host in hosts for reservation in self._lapsed.get(host, ()))
