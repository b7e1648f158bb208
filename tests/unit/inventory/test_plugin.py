"""The plugin in ansible-inventory and ansible-playbook, as people run it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
HOSTILE = "{{ lookup('ansible.builtin.pipe', 'id') }}"

HOST = {
    "name": "node1",
    "address": "192.0.2.11",
    "ssh_user": "root",
    "ssh_port": 22,
    "ssh_key_file": "/keys/id",
    "libvirt_uri": "qemu+tls://192.0.2.11/system",
    "state": "ready",
    "cordoned": 0,
    "accelerator": "kvm",
    "cpu": 8,
    "ram_mib": 16384,
    "labels": {"rack": "r1"},
}
VM = {
    "id": "vm-101",
    "uuid": "3f0c",
    "name": "web01",
    "project": "shop",
    "status": "running",
    "desired": "running",
    "host": "node1",
    "cpu": 1,
    "ram_mib": 512,
    "image": "tiny",
    "labels": {"tier": "web", "evil": HOSTILE},
    "addresses": ["192.168.122.5"],
}


class Site:
    """A folder with a database and an inventory file, and Ansible's commands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "test.minicloud.yml"
        (folder / "ansible.cfg").touch()
        with closing(sqlite3.connect(folder / "minicloud.db")) as database:
            for view, row in (("inventory_v1_hosts", HOST), ("inventory_v1_vms", VM)):
                database.execute(f"CREATE TABLE t_{view} ({', '.join(row)})")
                database.execute(f"CREATE VIEW {view} AS SELECT * FROM t_{view}")
                values = [json.dumps(value) if isinstance(value, (dict, list)) else value for value in row.values()]
                database.execute(f"INSERT INTO t_{view} VALUES ({', '.join('?' * len(values))})", values)
            database.commit()

    def write(self, **options: Any) -> None:
        self.file.write_text(yaml.safe_dump({"plugin": "minicloud.libvirt.minicloud", **options}))

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MINICLOUD_"))}
        settings = {
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv" / "collections"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        }
        return subprocess.run(
            [str(BIN / command[0]), "-i", str(self.file), *command[1:]],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**kept, **settings, **environment},
        )

    def inventory(self, **environment: str) -> dict[str, Any]:
        done = self.run("ansible-inventory", "--list", **environment)
        assert done.returncode == 0, done.stderr
        return dict(_plain(json.loads(done.stdout)))


def _plain(value: Any) -> Any:
    """``ansible-inventory`` marks untrusted texts; what they say is what counts here."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"__ansible_unsafe"}:
        return value["__ansible_unsafe"]
    return {key: _plain(item) for key, item in value.items()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_hosts_vms_and_groups_come_from_the_database(site: Site) -> None:
    site.write(
        database="minicloud.db",
        compose={"where": "minicloud_host ~ '/' ~ minicloud_labels.tier", "ansible_user": "'debian'"},
        groups={"small": "minicloud_kind == 'vm' and minicloud_ram_mib < 1024"},
        keyed_groups=[{"key": "minicloud_labels.tier", "prefix": "tier"}],
    )
    inventory = site.inventory()
    members = {name: group["hosts"] for name, group in inventory.items() if "hosts" in group}
    assert members == {
        "hypervisors": ["node1"],
        "vms": ["web01"],
        "project_shop": ["web01"],
        "host_node1": ["web01"],
        "small": ["web01"],
        "tier_web": ["web01"],
    }
    variables = inventory["_meta"]["hostvars"]
    assert variables["node1"]["ansible_host"] == "192.0.2.11"
    assert variables["node1"]["ansible_ssh_private_key_file"] == "/keys/id"
    assert variables["web01"]["where"] == "node1/web"
    assert variables["web01"]["ansible_user"] == "debian"


@pytest.mark.parametrize("cached", [False, True])
def test_a_label_that_is_a_template_stays_text(site: Site, cached: bool) -> None:
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(site.folder / "cache")}
    site.write(
        database="minicloud.db",
        compose={"copied": "minicloud_labels.evil", "joined": "'x' ~ minicloud_labels.evil"},
        keyed_groups=[{"key": "minicloud_labels.evil", "prefix": "evil"}],
        **(cache if cached else {}),
    )
    if cached:
        site.inventory()
        (site.folder / "minicloud.db").unlink()
    play = {
        "hosts": "web01",
        "gather_facts": False,
        "tasks": [
            {
                "ansible.builtin.debug": {"msg": {name: "{{ " + expression + " }}"}},
                "register": name,
            }
            for name, expression in (
                ("direct", "minicloud_labels.evil"),
                ("copied", "copied"),
                ("joined", "joined"),
                ("inside", "hostvars['web01'].minicloud_labels.evil ~ '!'"),
            )
        ],
    }
    play["tasks"].append({"ansible.builtin.copy": {"content": "{{ direct.msg.direct }}", "dest": "direct.txt"}})
    play["tasks"][-1] |= {"delegate_to": "localhost"}
    (site.folder / "play.yml").write_text(yaml.safe_dump([play]))
    done = site.run("ansible-playbook", "play.yml", ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "uid=" not in done.stdout + done.stderr
    # JSON output escapes nothing of it but the line itself.
    assert done.stdout.count(HOSTILE) >= 4
    assert (site.folder / "direct.txt").read_text() == HOSTILE


def test_the_cache_answers_for_a_database_that_is_gone(site: Site) -> None:
    site.write(
        database="minicloud.db",
        cache=True,
        cache_plugin="ansible.builtin.jsonfile",
        cache_connection=str(site.folder / "cache"),
    )
    first = site.inventory()
    (site.folder / "minicloud.db").unlink()
    assert site.inventory() == first
    flushed = site.run("ansible-inventory", "--list", "--flush-cache")
    assert "there is no database" in flushed.stderr


def test_selections_and_the_environment_count(site: Site) -> None:
    site.write(hosts=False, vm_names="id", filters={"vms": {"project": ["shop"]}})
    inventory = site.inventory(MINICLOUD_DATABASE="sqlite:///minicloud.db", MINICLOUD_URL="http://127.0.0.1:9")
    assert list(inventory["_meta"]["hostvars"]) == ["vm-101"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "there is no source to read from"),
        ({"database": "a.db", "url": "http://127.0.0.1:9"}, "database and url exclude each other"),
        ({"database": "missing.db"}, "there is no database"),
        ({"database": "minicloud.db", "filters": {"vms": {"colour": "red"}}}, "filters.vms.colour"),
        ({"database": "minicloud.db", "strict": True, "compose": {"x": "no_such_variable"}}, "no_such_variable"),
    ],
)
def test_what_is_wrong_is_said(site: Site, options: dict[str, Any], words: str) -> None:
    site.write(**options)
    done = site.run("ansible-inventory", "--list")
    assert done.returncode != 0
    assert words in " ".join(done.stderr.split())


def test_a_host_that_ssh_could_misread_is_left_out_or_fails(site: Site) -> None:
    with closing(sqlite3.connect(site.folder / "minicloud.db")) as database:
        database.execute("UPDATE t_inventory_v1_hosts SET address = '-oProxyCommand=id'")
        database.commit()
    site.write(database="minicloud.db")
    done = site.run("ansible-inventory", "--list")
    assert "node1" not in json.loads(done.stdout)["_meta"]["hostvars"]
    assert "is left out" in done.stderr
    site.write(database="minicloud.db", strict=True)
    assert site.run("ansible-inventory", "--list").returncode != 0


def test_other_files_are_not_for_this_plugin(site: Site) -> None:
    site.file = site.folder / "hosts.yml"
    site.write(database="minicloud.db")
    assert site.run("ansible-inventory", "--list").returncode != 0


@pytest.fixture
def service() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/v1/inventory" and self.headers.get("Authorization") == "Bearer secret"
            body = {"hosts": [HOST], "vms": [VM]} if known else {"code": "x", "detail": "no"}
            content = json.dumps(body).encode()
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_service_answers_as_the_database_does(site: Site, service: str) -> None:
    site.write(database="minicloud.db")
    expected = site.inventory()
    (site.folder / "token").write_text("secret\n")
    site.write(url=service, token_file=str(site.folder / "token"))
    assert site.inventory() == expected
    site.write(url=service, token="wrong")
    assert "no" in site.run("ansible-inventory", "--list").stderr


def test_the_example_is_one_that_works(site: Site) -> None:
    example = yaml.safe_load((ROOT / "inventory" / "example.minicloud.yml").read_text())
    site.write(**{**example, "database": "minicloud.db"})
    inventory = site.inventory()
    assert inventory["tier_web"]["hosts"] == ["web01"]
    variables = inventory["_meta"]["hostvars"]
    assert variables["web01"]["ansible_user"] == "debian"
    assert variables["node1"]["ansible_user"] == "root"
