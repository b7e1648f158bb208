"""What a run's events say about its operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from minicloud.services.view.operation import Claim, Entry, Outcome

from .batch import Batch
from .inventory import DESTINATIONS

# Errors that another try of the same order cannot mend.
_PERMANENT = frozenset(
    {
        "minicloud.input.invalid",
        "minicloud.hypervisor.unmanaged_domain",
        "minicloud.operation.stale_epoch",
        "minicloud.vm.exists_with_other_spec",
        "minicloud.state.illegal_transition",
    }
)
_RUN_FAILED = "minicloud.run.failed"

_TOLD = {
    "playbook_on_play_start": "play",
    "playbook_on_task_start": "task",
    "runner_on_ok": "result",
    "runner_on_failed": "result",
    "runner_on_unreachable": "result",
    "warning": "output",
    "error": "output",
    "verbose": "output",
}
_LONGEST_TEXT = 4000


class Tally:
    """Follows the events of one batch and says which operation is settled, how.

    Every claim is settled once: by its item among a module's results, by its host's failure, or by :meth:`close`.
    """

    def __init__(self, batch: Batch) -> None:
        self._open = {claim.operation: claim for claim in batch.claims}
        self._by_host = batch.by_host()

    @property
    def open(self) -> tuple[Claim, ...]:
        return tuple(self._open.values())

    def drop(self, operation: str) -> None:
        """Forget a claim that is another's by now."""
        self._open.pop(operation, None)

    def take(self, event: Mapping[str, Any]) -> list[tuple[Claim, Outcome]]:
        """Read one event.

        :returns: what it settles; nothing for most events.
        """
        name, data = event.get("event"), event.get("event_data") or {}
        result, host = data.get("res") or {}, str(data.get("host") or "")
        if name == "runner_on_unreachable":
            return self._settle_host(host, data, Outcome.unreachable(_reason(result)))
        if name not in ("runner_on_ok", "runner_on_failed"):
            return []
        settled = self._settle_items(result.get("results"))
        if name == "runner_on_failed" and not data.get("ignore_errors"):
            error = {
                "code": _RUN_FAILED,
                "message": f"the task {data.get('task')!r} failed on {host}: {_reason(result)}",
            }
            settled += self._settle_host(host, data, Outcome.failed(error, retry=True))
        return settled

    def close(self, outcome: Outcome) -> list[tuple[Claim, Outcome]]:
        """The run is over: what is still open ends with ``outcome``."""
        settled = [(claim, outcome) for claim in self._open.values()]
        self._open.clear()
        return settled

    def _settle_items(self, items: Any) -> list[tuple[Claim, Outcome]]:
        if not isinstance(items, list):
            return []
        settled = []
        for item in items:
            claim = self._open.pop(str(item.get("operation")), None) if isinstance(item, Mapping) else None
            if claim is not None:
                settled.append((claim, outcome_of(item)))
        return settled

    def _settle_host(self, host: str, data: Mapping[str, Any], outcome: Outcome) -> list[tuple[Claim, Outcome]]:
        # A destination that could not be prepared: the source's own task will say what became of the VM.
        if data.get("play_pattern") == DESTINATIONS:
            return []
        claims = [claim for claim in self._by_host.get(host, ()) if claim.operation in self._open]
        for claim in claims:
            del self._open[claim.operation]
        return [(claim, outcome) for claim in claims]


def outcome_of(item: Mapping[str, Any]) -> Outcome:
    """The outcome that one item of a module's ``results`` tells of."""
    if not item.get("failed"):
        return Outcome.succeeded(item)
    error = item.get("error")
    if not isinstance(error, Mapping):
        error = {"code": _RUN_FAILED, "message": str(item.get("msg") or "the module failed without saying why")}
    return Outcome.failed(error, retry=error.get("code") not in _PERMANENT, result=item)


def ended_without_result(status: str, rc: Any, last_words: str) -> Outcome:
    """The outcome of operations that a finished run said nothing about.

    :param status: ansible-runner's: ``successful failed timeout canceled``; ``crashed`` when its process died.
    """
    message = {
        "timeout": "the run took too long and was stopped",
        "canceled": "the run was stopped before it was done",
        "crashed": "the run's process died",
        "successful": "the run ended without saying what became of this operation",
    }.get(status, f"the run failed with exit code {rc}")
    if last_words:
        message = f"{message}: {last_words[-_LONGEST_TEXT:]}"
    return Outcome.failed({"code": _RUN_FAILED, "message": message}, retry=True)


def entries_of(event: Mapping[str, Any], operations: Iterable[str]) -> dict[str, Entry]:
    """The log entries that an event makes, by operation.

    A result goes to the operations that it names; anything else goes to all.
    """
    kind = _TOLD.get(str(event.get("event")))
    text = str(event.get("stdout") or "").replace("\r\n", "\n").strip("\n")[:_LONGEST_TEXT]
    if kind is None or (kind == "output" and not text.strip()):
        return {}
    data = event.get("event_data") or {}
    told = {key: data[key] for key in ("play", "task", "host") if data.get(key)}
    told |= {"stdout": text} if text else {}
    if kind == "result":
        told["failed"] = event.get("event") != "runner_on_ok"
    moment = _moment(event.get("created"))
    items = _items(data)
    return {
        operation: Entry(moment, kind, {**told, "item": items[operation]} if operation in items else told)
        for operation in operations
        if not items or operation in items
    }


def words_of(event: Mapping[str, Any]) -> str:
    """What Ansible said outside of any task: why it could not even begin, for one."""
    return f"{event.get('stdout') or ''}\n" if event.get("event") in ("verbose", "error") else ""


def _items(data: Mapping[str, Any]) -> dict[str, Any]:
    results = (data.get("res") or {}).get("results")
    if not isinstance(results, list):
        return {}
    return {str(item["operation"]): item for item in results if isinstance(item, Mapping) and item.get("operation")}


def _reason(result: Mapping[str, Any]) -> str:
    words = [str(result[key]).strip() for key in ("msg", "module_stderr", "stderr", "exception") if result.get(key)]
    return (" · ".join(words) or "no reason was given")[:_LONGEST_TEXT]


def _moment(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
