"""What modules say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.hypervisor.answer import answer, failure_message
from minicloud_core.hypervisor.migration_job import PROGRESS_MAX, Progress, read_statistics
from minicloud_core.hypervisor.result import ItemResult
from minicloud_core.model.errors import HypervisorError, InputError, Problem


def test_a_result_has_the_shape_of_the_contract() -> None:
    result = ItemResult.of({"id": "vm-101", "name": "web01", "operation": "op-1"})
    result.extra["uuid"] = "u"
    assert result.to_mapping() == {
        "id": "vm-101",
        "operation": "op-1",
        "changed": False,
        "failed": False,
        "state": "unknown",
        "before": None,
        "after": None,
        "error": None,
        "seconds": 0.0,
        "uuid": "u",
    }


def test_an_error_names_the_first_wrong_field() -> None:
    result = ItemResult.of({"name": "web01"})
    result.error = InputError([Problem("cpu", "too few", "1 or more"), Problem("ram", "too little")])
    mapping = result.to_mapping()
    assert (mapping["id"], mapping["failed"]) == ("web01", True)
    assert (mapping["error"]["code"], mapping["error"]["field"]) == ("minicloud.input.invalid", "cpu")
    assert len(mapping["error"]["errors"]) == 2


def test_an_answer_shows_what_changed_and_says_what_failed() -> None:
    good, same, bad = (ItemResult.of({"id": name}) for name in ("good", "same", ""))
    good.changed, good.before, good.after = True, {"cpu": 1}, {"cpu": 2}
    bad.error = HypervisorError("cannot start it: no", hint="try harder")
    results = [result.to_mapping() for result in (good, same, bad)]
    values = answer(results)
    assert values["changed"] is True
    assert values["diff"] == [
        {"before": {"cpu": 1}, "after": {"cpu": 2}, "before_header": "good", "after_header": "good"}
    ]
    assert failure_message(results) == "item without a name: cannot start it: no (try harder)"
    assert failure_message(results[:2]) == ""


@given(st.integers(0, 500))
def test_progress_stays_bounded_ordered_and_keeps_its_beginning(count: int) -> None:
    progress = Progress()
    for number in range(count):
        progress.add(number / 4, {"data_processed": number, "data_remaining": count - number})
    seconds = [snapshot["seconds"] for snapshot in progress.snapshots]
    assert len(seconds) <= PROGRESS_MAX
    assert len(seconds) >= min(count, PROGRESS_MAX // 2)
    assert seconds == sorted(set(seconds))
    assert not count or seconds[0] == 0


def test_statistics_that_libvirt_does_not_give_are_zero() -> None:
    given_by_libvirt = {"time_elapsed": 2600, "downtime": 31, "data_processed": 7, "memory_iteration": 3}
    statistics = read_statistics(given_by_libvirt)
    assert (statistics["total_ms"], statistics["downtime_ms"], statistics["iterations"]) == (2600, 31, 3)
    assert statistics["disk_transferred"] == 0
