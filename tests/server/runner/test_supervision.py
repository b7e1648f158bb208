"""Following a run: what it says becomes logs and ends."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from minicloud.runner.batch import Batch
from minicloud.runner.process import RunProcess
from minicloud.runner.supervision import Supervision
from minicloud.services import completion, operation
from minicloud.services.context import Context
from minicloud.services.view.operation import Claim, Outcome
from minicloud_core.model.errors import TransitionError

from tests.server.world import World


class ToldProcess:
    """A run's process that says what it is told to, and ends."""

    def __init__(self, *lines: dict[str, Any]) -> None:
        self._lines = [*lines, {"end": {"status": "successful", "rc": 0}}]
        self.directory = SimpleNamespace(run="run-1", remove=lambda: None, last_words=lambda: "")
        self.ended = False

    def read(self, _timeout: float) -> list[dict[str, Any]]:
        self.ended = True
        return self._lines

    def destroy(self) -> set[int]:
        return set()


def follow(world: World, claims: tuple[Claim, ...]) -> None:
    """Let a run say that every VM runs."""
    items = [{"operation": claim.operation, "state": "running", "changed": True} for claim in claims]
    event = {"event": "runner_on_ok", "event_data": {"host": "node1", "task": "make", "res": {"results": items}}}
    process = cast(RunProcess, ToldProcess({"event": event}))
    Supervision(world.ctx, Batch("create_vm.yml", claims), process).follow()


@pytest.fixture
def claims(world: World) -> tuple[Claim, ...]:
    world.fleet("node1")
    for name in ("a", "b", "c"):
        world.create(name)
    return operation.started(world.ctx, world.claim(), "run-1")


def test_what_a_run_says_of_all_is_written_at_once(
    world: World, claims: tuple[Claim, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    finish_all = operation.finish_all

    def note(ctx: Context, ends: Sequence[tuple[Claim, Outcome]]) -> tuple[str, ...]:
        written.append(len(ends))
        return finish_all(ctx, ends)

    monkeypatch.setattr(operation, "finish_all", note)
    follow(world, claims)
    assert written == [3]
    assert {world.vm(name).status for name in ("a", "b", "c")} == {"running"}


def test_one_end_that_cannot_be_written_does_not_keep_the_others_back(
    world: World, claims: tuple[Claim, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    conclude = completion._conclude

    def refuse_b(deed: Any, row: Any, vm: Any, outcome: Any) -> None:
        if vm.name == "b":
            raise TransitionError(f"{vm.id} cannot become nonsense")
        conclude(deed, row, vm, outcome)

    monkeypatch.setattr(completion, "_conclude", refuse_b)
    follow(world, claims)
    states = {world.vm(str(claim.vm)).name: world.operation(claim.operation).state for claim in claims}
    assert states == {"a": "succeeded", "b": "running", "c": "succeeded"}
