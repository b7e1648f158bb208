"""Runs that a killed service left behind: ended, and their operations given back at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog
from minicloud_core.model.errors import MinicloudError

from minicloud.services import operation as operations
from minicloud.services.context import Context
from minicloud.services.view.operation import Outcome

from . import process_tree
from .directory import RunDirectory, existing
from .record import read_claims

_log = structlog.get_logger(__name__)


def clear(context: Context, runs: Path, control_path: Path) -> list[str]:
    """End every run whose directory is under ``runs`` and queue its operations again.

    To be called before the first claim: a run found then is an earlier life's. Its epoch guards against one whose
    operations went on elsewhere meanwhile.

    :returns: names of the runs.
    """
    found = []
    for directory in existing(runs):
        left = process_tree.extinguish(_members(directory.run, control_path))
        if left:
            _log.error("run.remains", run=directory.run, pids=sorted(left))
        _give_back(context, directory)
        directory.remove()
        found.append(directory.run)
    return found


def _members(run: str, control_path: Path) -> Callable[[], set[int]]:
    def find() -> set[int]:
        marked = process_tree.members(run)
        below = {pid for root in marked for pid in process_tree.descendants(root)}
        return {pid for pid in marked | below if not process_tree.is_connection(pid, control_path)}

    return find


def _give_back(context: Context, directory: RunDirectory) -> None:
    error = {"code": "minicloud.run.failed", "message": "the service was stopped during the run"}
    for claim in read_claims(directory):
        try:
            operations.finish(context, claim, Outcome.failed(error, retry=True))
        except MinicloudError as refused:
            _log.info("run.operation_moved_on", operation=claim.operation, reason=refused.message)
