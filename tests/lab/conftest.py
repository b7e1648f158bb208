"""A fleet of three real hosts for the end-to-end tests, brought up once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from minicloud.client import Client

from tests.lab.fleet import Fleet, Site

# A shorter lease than people run with: a test that kills the service waits for it to run out.
E2E = Site("e2e", "10.82.0.0/24", 18082, options=(("lease_seconds", "8"), ("reconcile_interval", "2")))


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """Three onboarded hosts and a service. ``MINICLOUD_KEEP_LAB=1`` leaves them for a look, and takes them up again."""
    fleet = Fleet(E2E)
    keep = os.environ.get("MINICLOUD_KEEP_LAB") == "1"
    if keep and E2E.state.exists():
        fleet.service.start()
    else:
        fleet.up()
    yield fleet
    if keep:
        fleet.service.stop()
    else:
        fleet.down()


@pytest.fixture
def client(fleet: Fleet) -> Client:
    return fleet.client


_numbers = count(1)


@pytest.fixture
def new_name(fleet: Fleet) -> Iterator[Callable[[], str]]:
    """Gives out names that nobody has; VMs of those names are deleted in the end."""
    given: list[str] = []

    def give() -> str:
        given.append(f"e2e-{os.getpid()}-{next(_numbers)}")
        return given[-1]

    yield give
    present = {vm["name"] for vm in fleet.client.vms.list()}
    fleet.remove(*(name for name in given if name in present))


@pytest.fixture(autouse=True)
def _log_of_a_failure(request: pytest.FixtureRequest) -> Iterator[None]:
    """The service's last words beside a failure's own."""
    yield
    report = getattr(request.node, "call_report", None)
    if report is not None and report.failed and "fleet" in request.fixturenames:
        fleet: Fleet = request.getfixturevalue("fleet")
        report.sections.append(("service log", fleet.service.tail(80)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.call_report = report
    return report
