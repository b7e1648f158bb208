"""Priorities from the command line."""

from __future__ import annotations

from uuid import uuid4

from tests.server.cli.conftest import Run


def test_a_priority_is_a_number_that_the_project_may_ask_for(run: Run) -> None:
    project = f"p{uuid4().hex[:6]}"
    made = run("project", "create", project, "--priority-max", "5", "-o", "json")
    assert made.code == 0, made.err
    assert made.json["quota"]["priority_max"] == 5
    assert run("--project", project, "vm", "create", "low", "--priority", "5").code == 0
    shown = run("--project", project, "vm", "show", "low")
    assert "--priority 5" in shown.out
    assert "preempted" not in shown.out
    refused = run("--project", project, "vm", "create", "high", "--priority", "6")
    assert refused.code == 2
    assert f"6 is above what project {project} may ask for" in refused.err
    assert "5 or less" in refused.err


def test_a_class_that_the_policy_does_not_name_is_refused(run: Run) -> None:
    refused = run("vm", "create", f"v{uuid4().hex[:6]}", "--priority", "critical")
    assert refused.code == 2
    assert "scheduling.priority: the policy has no priority class critical" in refused.err
