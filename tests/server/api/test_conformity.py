"""The API does what it describes, whatever it is sent: requests made from the description itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from minicloud.api.app import create_app
from minicloud.api.call import Room
from minicloud.services import token
from minicloud.services.context import SYSTEM, Context
from minicloud.store.store import open_store
from schemathesis import Case
from schemathesis.checks import CHECKS

from tests.server.world import FixedClock, PlainSettings, SeededEntropy, World

from .conftest import Tape, served

pytestmark = pytest.mark.slow

EXAMPLES = 6

# What breaks the description is refused by these and no others.
REFUSALS = [400, 401, 403, 404, 405, 409, 413, 422]
config = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}}})
schema = schemathesis.openapi.from_dict(create_app().openapi(), config=config)
# A stream has no end to wait for; it has tests of its own.
described = schema.exclude(path="/v1/events")


@pytest.fixture(scope="module")
def service(app: FastAPI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A service that all cases share, and an administrator's token."""
    place: Path = tmp_path_factory.mktemp("conformity")
    store = open_store(f"sqlite:///{place}/minicloud.db")
    store.migrate()
    clock = FixedClock()
    context = Context(store, PlainSettings(place), b"k" * 32, clock, entropy=SeededEntropy())
    World(context, clock).fleet("node1", "node2")
    secret = token.create(context, SYSTEM, "tester", "admin").secret
    with served(app, Room(context, console=Tape())) as url:
        yield url, secret
    store.close()


@described.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_described(case: Case, service: tuple[str, str]) -> None:
    url, secret = service
    if case.headers:
        case.headers.pop("Prefer", None)  # nobody carries anything out here, so it would only wait
    case.call_and_validate(
        base_url=url,
        headers={"Authorization": f"Bearer {secret}"},
        # What is sound by its form may still name an image or a host that is not there.
        excluded_checks=[CHECKS.get_one("positive_data_acceptance")],
    )
