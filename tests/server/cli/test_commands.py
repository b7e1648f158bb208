"""The command as people and programs use it: what goes to which stream, what it ends with, what it waits for."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from minicloud.client import Client

from tests.lab.service import COMMANDS, Service
from tests.server.cli.conftest import Run

pytestmark = pytest.mark.slow


def new() -> str:
    return f"vm-{uuid4().hex[:8]}"


def test_create_answers_at_once(run: Run) -> None:
    name = new()
    ended = run(
        "vm", "create", name, "--cpu", "2", "--ram", "1G", "--disk", "2G:fast", "--label", "tier=web", "-o", "json"
    )
    assert ended.code == 0, ended.err
    vm = ended.json
    assert (vm["name"], vm["cpu"], vm["ram"], vm["labels"]) == (name, 2, 1024, {"tier": "web"})
    assert [(disk["size"], disk["pool"]) for disk in vm["disks"]] == [(2 * 1024**3, "fast")]
    assert vm["operation"].startswith("op-")


def test_wait_shows_how_it_goes_and_prints_the_vm_as_it_is_then(run: Run) -> None:
    name = new()
    ended = run("vm", "create", name, "--wait", "--output", "json")
    assert ended.code == 0, ended.err
    assert ended.json["status"] == "running"
    assert "succeeded" in ended.err
    listed = run("-o", "json", "vm", "list", "--name", name).json
    assert [vm["id"] for vm in listed] == [ended.json["id"]]


def test_table_in_a_pipe_has_one_plain_line_a_vm(run: Run) -> None:
    name = new()
    run("vm", "create", name, "--wait")
    heading, line = run("vm", "list", "--name", name).out.splitlines()
    assert heading.split()[:4] == ["ID", "NAME", "STATUS", "HOST"]
    assert line.split()[1:3] == [name, "running"]
    assert "\x1b" not in line
    assert run("vm", "list", "--name", "nobody").out.split()[0] == "ID", "a program finds its heading always"


def test_colour_on_a_terminal_unless_told_otherwise(run: Run, on_terminal: Callable[..., str]) -> None:
    name = new()
    run("vm", "create", name, "--wait")
    assert "\x1b[32mrunning" in on_terminal("vm", "list", "--name", name)
    assert "\x1b[32m" not in on_terminal("vm", "list", "--name", name, NO_COLOR="1")


def test_progress_lives_on_a_terminal(on_terminal: Callable[..., str]) -> None:
    name = new()
    written = on_terminal("vm", "create", name, "--wait")
    assert f"create {name}" in written
    assert "succeeded" in written
    assert "running" in written


def test_asking_twice_is_asking_once_and_another_spec_is_a_conflict(run: Run) -> None:
    name = new()
    first = run("vm", "create", name, "--ram", "256M", "-o", "json").json
    assert run("vm", "create", name, "--ram", "256", "-o", "json").json["id"] == first["id"]
    ended = run("vm", "create", name, "--ram", "512M", "--cpu", "3")
    assert ended.code == 5
    assert ended.out == ""
    rows = [line.split() for line in ended.err.splitlines()]
    assert ["cpu", "1", "3"] in rows
    assert ["ram_mib", "256", "512"] in rows
    assert "minicloud.vm.exists_with_other_spec" in ended.err


def test_wrong_input_names_every_field_and_what_would_be_right(run: Run) -> None:
    ended = run("vm", "create", "web/1", "--cpu", "0", "--ram", "1P")
    assert ended.code == 2
    assert ended.out == ""
    table = {
        line.split()[0]: line for line in ended.err.splitlines() if line.split()[:1] in (["name"], ["cpu"], ["ram"])
    }
    assert set(table) == {"name", "cpu", "ram"}
    assert "512" in table["cpu"]
    assert "16" in table["ram"]


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("vm", "create", "a", "--label", "tier"), "--label"),
        (("vm", "create", "a", "--user-data", "missing.yaml"), "--user-data"),
        (("vm", "create", "a", "--ssh-key", "missing.pub"), "--ssh-key"),
        (("image", "register", "a"), "--kernel"),
        (("vm", "list", "--limit", "0"), "--limit"),
    ],
)
def test_what_makes_no_sense_is_refused_here(run: Run, words: tuple[str, ...], option: str) -> None:
    ended = run(*words)
    assert ended.code == 2
    assert option in ended.err


def test_cloud_init_is_read_from_files(run: Run, tmp_path: Path, cloud: Service) -> None:
    name = new()
    key = tmp_path / "id.pub"
    key.write_text("ssh-ed25519 AAAA me\n")
    ended = run("vm", "create", name, "--ssh-key", str(key), "--ssh-key", "ssh-rsa BBBB you", "-o", "json")
    assert ended.code == 0, ended.err
    both = run("vm", "create", new(), "--ssh-key", str(key), "--user-data", str(key))
    assert both.code == 2
    assert "cloud_init.ssh_keys" in both.err


def test_too_big_says_why_for_each_host(run: Run) -> None:
    ended = run("vm", "create", new(), "--ram", "16T")
    assert ended.code == 6
    rules = [line.split()[:2] for line in ended.err.splitlines()]
    assert ["idle1", "memory"] in rules
    assert ["idle2", "memory"] in rules


def test_dry_run_says_where_and_makes_nothing(run: Run) -> None:
    name = new()
    ended = run("vm", "create", name, "--dry-run")
    assert ended.code == 0, ended.err
    assert "chosen" in ended.out
    assert run("vm", "list", "--name", name, "-o", "json").json == []


def test_explain_gives_the_score_of_each_host(run: Run) -> None:
    name = new()
    host = run("vm", "create", name, "--wait", "-o", "json").json["host"]
    table = {line.split()[0]: line for line in run("vm", "explain", name).out.splitlines()[1:]}
    policy = table.pop("policy")
    assert re.fullmatch(r"policy \S+, version [0-9a-f]{12}", policy)
    assert set(table) == {"idle1", "idle2"}
    assert "chosen" in table[host]


def test_life_of_a_vm(run: Run) -> None:
    name = new()
    for words in (("create", name), ("stop", name, "--force"), ("start", name), ("pause", name), ("resume", name)):
        ended = run("vm", *words, "--wait", "-o", "json")
        assert ended.code == 0, (words, ended.err)
    assert ended.json["status"] == "running"
    other = {"idle1": "idle2", "idle2": "idle1"}[ended.json["host"]]
    moved = run("vm", "migrate", name, "--host", other, "--wait", "-o", "json")
    assert moved.code == 0, moved.err
    assert moved.json["host"] == other
    kinds = [operation["kind"] for operation in run("op", "list", "--vm", name, "-o", "json").json]
    assert kinds == [f"vm.{verb}" for verb in ("migrate", "resume", "pause", "start", "stop", "create")]
    assert run("vm", "delete", name, "--wait").code == 0
    assert run("vm", "show", name).code == 3


def test_operation_shows_its_reasons_and_the_line_to_repeat_it(run: Run) -> None:
    vm = run("vm", "create", new(), "--wait", "-o", "json").json
    shown = run("op", "show", vm["operation"]).out
    assert "succeeded" in shown
    assert f"ansible-playbook playbooks/create_vm.yml -e name={vm['name']}" in shown
    events = run("op", "events", vm["operation"], "-o", "json").json
    assert "result" in {event["kind"] for event in events}
    assert "Do nothing, and say so" in run("op", "log", vm["operation"]).out
    waited = run("op", "wait", vm["operation"], "-o", "json")
    assert (waited.code, waited.json["state"]) == (0, "succeeded")


def test_hosts(run: Run) -> None:
    assert {host["name"] for host in run("host", "list", "-o", "json").json} == {"idle1", "idle2"}
    assert run("host", "cordon", "idle2", "--reason", "a test", "-o", "json").json["cordoned"] is True
    try:
        assert run("vm", "create", new(), "--dry-run", "-o", "json").json["host"] == "idle1"
    finally:
        assert run("host", "uncordon", "idle2", "-o", "json").json["cordoned"] is False
    assert "promised" in run("host", "show", "idle1").out
    assert run("host", "domains", "idle1", "-o", "json").json == []
    assert run("host", "show", "nowhere").code == 3
    assert run("host", "fence", "idle1").code != 0, "nobody is there to say yes"
    registered = run("host", "register", "spare", "--address", "192.0.2.99", "--label", "rack=9", "-o", "json")
    assert (registered.code, registered.json["labels"]) == (0, {"rack": "9"})
    assert run("host", "remove", "spare").code == 0


def test_images(run: Run, tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(1024 * 1024))
    ended = run("image", "register", "blank", "--disk", str(disk), "--format", "raw", "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.json["files"][0]["size"] == 1024 * 1024
    assert {image["name"] for image in run("image", "list", "-o", "json").json} >= {"tiny", "blank"}
    assert ended.json["files"][0]["sha256"] in run("image", "show", "blank").out
    assert run("image", "remove", "blank").code == 0
    assert run("vm", "create", new(), "--image", "blank").code in (2, 3)


def test_projects_and_tokens(run: Run) -> None:
    project = f"p{uuid4().hex[:6]}"
    made = run("project", "create", project, "--vms", "1", "-o", "json")
    assert made.json["quota"]["vms"] == 1
    token = run("token", "create", f"ci-{project}", "--project", project, "-o", "json").json
    mine = {"MINICLOUD_TOKEN": token["token"]}
    assert run("vm", "create", new(), "-o", "json", **mine).json["project"] == project
    assert run("vm", "create", new(), **mine).code == 6, "the quota is used up"
    assert [item["name"] for item in run("project", "list", "-o", "json", **mine).json] == [project]
    assert run("token", "list", **mine).code == 4
    (vm,) = run("--project", project, "vm", "list", "-o", "json").json
    assert run("--project", "default", "vm", "show", vm["name"]).code == 3
    assert run("vm", "show", vm["name"], "-o", "json", MINICLOUD_PROJECT=project).json["id"] == vm["id"]
    assert run("vm", "list", "-o", "json", **mine).json != run("vm", "list", "-o", "json").json
    assert token["token"] not in run("token", "list", "-o", "json").out
    assert run("token", "revoke", token["id"]).code == 0


def test_no_token_and_no_service(run: Run, tmp_path: Path) -> None:
    ended = run("--token", "nonsense", "vm", "list")
    assert ended.code == 4
    assert "minicloud.auth.unauthenticated" in ended.err
    ended = run("--url", "http://127.0.0.1:9", "vm", "list")
    assert ended.code == 7
    assert "http://127.0.0.1:9" in ended.err
    ended = run("vm", "list", MINICLOUD_TOKEN_FILE=str(tmp_path / "none"))
    assert ended.code == 2
    assert str(tmp_path / "none") in ended.err.replace("\n", "")


def test_events_are_followed_as_lines_of_json(cloud: Service) -> None:
    with subprocess.Popen(
        [COMMANDS / "minicloud", "events", "--after", "0", "-o", "json"],
        env=cloud.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as follower:
        assert follower.stdout is not None
        name = new()
        with Client(cloud.url, cloud.token) as client:
            vm = client.vms.create({"name": name})
        seen = (json.loads(line) for line in follower.stdout)
        event = next(event for event in seen if event["data"]["vm"] == vm["id"])
        follower.terminate()
    assert event["event"].startswith(("vm.", "operation."))


def test_the_fleet_is_written_as_a_file_that_a_policy_can_be_tried_on(run: Run, tmp_path: Path) -> None:
    name = new()
    vm = run("vm", "create", name, "--cpu", "2", "-o", "json").json
    path = tmp_path / "fleet.json"
    assert run("fleet", "export", "--out", str(path)).code == 0
    document = json.loads(path.read_text(encoding="utf-8"))
    assert [host["id"] for host in document["hosts"]] == ["idle1", "idle2"]
    (written,) = [one for one in document["vms"] if one["id"] == vm["id"]]
    assert (written["name"], written["host"], written["cpu"]) == (name, vm["host"], 2)
    assert json.loads(run("fleet", "export").out)["hosts"] == document["hosts"]
    trace = tmp_path / "requests.jsonl"
    trace.write_text('{"at": 0, "op": "create", "vm": {"id": "next", "cpu": 1, "ram": "1G"}}\n', encoding="utf-8")
    ended = run("simulate", "--fleet", str(path), "--requests", str(trace), "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.json["placed"] == 1


def test_a_policy_is_tried_on_what_the_service_has_decided(run: Run, tmp_path: Path) -> None:
    names = [new() for _number in range(4)]
    homes = {name: run("vm", "create", name, "-o", "json").json["host"] for name in names}
    same = run("policy", "test", "balanced", "-o", "json")
    assert same.code == 0, same.err
    assert same.json["decisions"] >= len(names)
    assert same.json["strangers"] == []
    path = tmp_path / "one.yml"
    path.write_text("name: one\nfilters: [cpu]\nweights: {}\n", encoding="utf-8")
    other = run("policy", "test", str(path), "--last", str(len(names)), "-o", "json").json
    assert {one["name"] for one in other["differences"]} == {name for name in names if homes[name] == "idle2"}
    assert {one["host"] for one in other["differences"]} <= {"idle1"}
    table = run("policy", "test", str(path)).out.splitlines()
    assert table[0].startswith("policy") and "one, version" in table[0]
    assert run("policy", "test", "nosuch.yml").code == 2


def test_who_is_no_administrator_is_told_that_it_takes_one(run: Run) -> None:
    token = run("token", "create", new(), "--role", "viewer", "--project", "default", "-o", "json").json["token"]
    for words in (("fleet", "export"), ("policy", "test", "pack")):
        ended = run(*words, MINICLOUD_TOKEN=token)
        assert (ended.code, ended.out) == (4, "")
        assert "administrator" in ended.err


def test_a_host_shows_what_it_reported(run: Run) -> None:
    shown = {line.split()[0]: line.split(maxsplit=1)[1] for line in run("host", "show", "idle1").out.splitlines()}
    assert shown["pools"].endswith(", fast 512 GiB")
    assert shown["numa"] == "0: 1024 CPUs, 4096 GiB (2 GiB in huge pages)"
    assert shown["measured"] == "memory 25%, waiting for a CPU 0%, network 12 Mbit/s, disks answer in 0.8 ms"
    assert "images" not in shown


def test_a_vm_asks_for_a_machine_a_node_and_huge_pages(run: Run) -> None:
    words = ["--machine", "q35", "--numa", "1", "--pinned", "--huge-pages"]
    made = run("vm", "create", new(), *words, "-o", "json")
    assert made.code == 0, made.err
    assert made.json["scheduling"] == {"machine": "q35", "numa": 1, "pinned": True, "huge_pages": True}
    shown = run("vm", "show", made.json["id"]).out
    assert next(line for line in shown.splitlines() if line.startswith("scheduling")).split()[1:] == words
    refused = run("vm", "create", new(), "--machine", "pc-q35-7.2")
    assert refused.code != 0
    assert "machine type pc-q35-7.2 wanted, it offers pc, q35" in refused.err


def test_a_host_is_registered_with_what_the_scheduler_is_told(run: Run) -> None:
    told = ["--dedicated", "default", "--idle-watts", "90", "--max-watts", "300", "--bandwidth", "1000"]
    made = run("host", "register", "idle9", "--address", "192.0.2.9", *told, "-o", "json")
    try:
        assert made.code == 0, made.err
        assert (made.json["dedicated"], made.json["power"]) == (["default"], {"idle_w": 90, "max_w": 300})
        shown = {line.split()[0]: line.split(maxsplit=1)[1] for line in run("host", "show", "idle9").out.splitlines()}
        assert shown["power"] == "90 W idle, 300 W at full load"
        assert shown["bandwidth"] == "1000 Mbit/s"
        wrong = run("host", "register", "idle9", "--address", "192.0.2.9", "--idle-watts", "90")
        assert wrong.code == 2
        assert "power.max_w" in wrong.err
    finally:
        run("host", "remove", "idle9")
