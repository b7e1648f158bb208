"""Transactions: all or nothing, the same on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from minicloud.store import event as events
from minicloud.store import project as projects
from minicloud.store.event import Event
from minicloud.store.project import ProjectRow
from minicloud.store.store import Session, Store, open_store
from minicloud_core.model.errors import UnavailableError
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


def make_project(name: str, at: datetime = NOW) -> ProjectRow:
    return ProjectRow(name=name, created_at=at, updated_at=at)


def make_event(kind: str) -> Event:
    return Event(at=NOW, kind=kind, data={})


def test_a_write_that_raises_leaves_nothing_behind(store: Store) -> None:
    def fail(session: Session) -> None:
        session.add(make_project("lost"))
        events.emit(session, make_event("lost"))
        session.flush()
        raise LookupError

    with pytest.raises(LookupError), store.write() as session:
        fail(session)
    with store.read() as session:
        assert projects.find(session, "lost") is None
        assert events.latest(session) == 0


def test_moments_keep_their_instant_and_come_back_in_utc(store: Store) -> None:
    east = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    with store.write() as session:
        session.add(make_project("shop", east))
    with store.read() as session:
        row = projects.find(session, "shop")
        assert row is not None
        assert row.created_at == NOW
        assert row.created_at.utcoffset() == timedelta(0)


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(StatementError, match="no time zone"), store.write() as session:
        session.add(make_project("shop", NOW.replace(tzinfo=None)))
        session.flush()


def test_foreign_keys_are_enforced(store: Store) -> None:
    columns = "vm, host, cpu, ram_mib, disk_bytes, created_at"
    share = text(f"INSERT INTO allocations ({columns}) VALUES ('vm-1', 'nowhere', 1, 1, 1, :now)")
    with pytest.raises(IntegrityError), store.write() as session:
        session.execute(share, {"now": NOW})


def test_sqlite_survives_a_power_cut_and_waits_for_its_turn(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/minicloud.db")
    with store.read() as session:
        pragma = {name: session.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")}
        assert pragma == {"journal_mode": "wal", "synchronous": 2}
        assert session.execute(text("PRAGMA busy_timeout")).scalar() == 15_000
    store.close()


def test_events_are_seen_in_the_order_of_their_numbers(store: Store) -> None:
    """A reader that resumes after the last number it saw never misses one that was committed late."""
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        last = 0
        while True:
            ending = done.is_set()
            with store.read() as session:
                rows = events.after(session, last=last, limit=500, project=None, vm=None, operation=None)
            seen.extend(row.id for row in rows)
            last = seen[-1] if seen else 0
            if ending and not rows:
                return

    def write(name: str) -> None:
        for number in range(15):
            with store.write() as session:
                events.emit(session, make_event(f"{name}-{number}"))

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    reader.start()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert len(seen) == 60
    assert seen == sorted(seen)


def test_trouble_says_what_is_wrong_without_the_password(store: Store) -> None:
    assert store.trouble() is None
    lost = open_store("postgresql+psycopg://minicloud:geheim@/none?host=/nonexistent")
    trouble = lost.trouble()
    assert trouble is not None
    assert "does not answer" in trouble
    assert "geheim" not in trouble


def test_other_databases_are_refused() -> None:
    with pytest.raises(UnavailableError, match="mysql is not a database"):
        open_store("mysql://localhost/minicloud")
