"""A whole cloud on this machine: lab hosts, a service, hosts onboarded by the real playbook, an image."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from minicloud.client import Client
from minicloud.client.vm import Vm

from .service import COMMANDS, ROOT, Service

Value = TypeVar("Value")


@dataclass(frozen=True)
class Site:
    """Where a fleet lives. ``subnet`` is a private /24; labs beside it need their own.

    :param options: settings of the service, ``("lease_seconds", "10")``.
    :param onboarding: variables of the onboarding roles.
    """

    name: str
    subnet: str
    port: int
    hosts: int = 3
    options: tuple[tuple[str, str], ...] = ()
    onboarding: tuple[tuple[str, str], ...] = ()

    @property
    def gateway(self) -> str:
        return self.subnet.rpartition(".")[0] + ".1"

    @property
    def state(self) -> Path:
        return ROOT / ".build" / f"fleet-{self.name}"

    @property
    def directory(self) -> Path:
        return ROOT / ".lab" / self.name


class Fleet:
    """A fleet between :meth:`up` and :meth:`down`."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.service = Service(
            site.state,
            (f"127.0.0.1:{site.port}", f"{site.gateway}:{site.port}"),
            advertise_url=f"http://{site.gateway}:{site.port}",
            options=dict(site.options),
        )
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = Client(self.service.url, self.service.token)
        return self._client

    @property
    def hosts(self) -> list[str]:
        return [f"node{number}" for number in range(1, self.site.hosts + 1)]

    # From nothing to a fleet, and back.

    def up(self) -> None:
        """Bring everything up. What an interrupted run left is taken away first."""
        self.down()
        self.site.state.mkdir(mode=0o700, parents=True)
        self._lab("lab_up.yml", lab_hosts=str(self.site.hosts))
        self.service.start()
        inventory = str(self.site.directory / "inventory.yml")
        self.playbook("onboard_host.yml", "-i", inventory, **dict(self.site.onboarding))
        self._register_image()
        self.await_hosts()

    def down(self) -> None:
        """Take everything away."""
        try:
            self.service.stop()
        finally:
            self._lab("lab_down.yml")
            shutil.rmtree(self.site.state, ignore_errors=True)

    def _lab(self, playbook: str, **variables: str) -> None:
        self.playbook(playbook, lab_name=self.site.name, lab_subnet=self.site.subnet, **variables)

    def _register_image(self) -> None:
        folder = self.site.directory / "images" / "tiny"
        described = json.loads((folder / "image.json").read_text())
        self.client.images.register(
            {
                "name": "tiny",
                "kind": "kernel",
                "cmdline": described["cmdline"],
                "files": [{"role": role, "path": str(folder / described[role])} for role in ("kernel", "initrd")],
            }
        )

    # What a person at a terminal does.

    def playbook(self, name: str, /, *arguments: str, check: bool = True, **variables: str) -> str:
        """Run a playbook to its end; what it printed.

        :raises AssertionError: with what it printed, when it failed and ``check`` is set.
        """
        done = subprocess.run(
            self.playbook_command(name, *arguments, **variables),
            env=self.service.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{name} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def playbook_command(self, name: str, /, *arguments: str, **variables: str) -> list[str]:
        words = [word for key, value in variables.items() for word in ("-e", f"{key}={value}")]
        return [str(COMMANDS / "ansible-playbook"), f"playbooks/{name}", *arguments, *words]

    def ssh(self, host: str, *command: str, check: bool = True, timeout: float = 30) -> str:
        """Run a command on a host; its output."""
        inventory = yaml.safe_load((self.site.directory / "inventory.yml").read_text())["hypervisors"]
        shared, own = inventory["vars"], inventory["hosts"][host]
        done = subprocess.run(
            [
                "ssh",
                *shared["ansible_ssh_common_args"].split(),
                *("-i", shared["ansible_ssh_private_key_file"], "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"),
                f"root@{own['ansible_host']}",
                *command,
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, f"{host}: {' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def virsh(self, host: str, *arguments: str, check: bool = True) -> str:
        return self.ssh(host, "virsh", "--quiet", "--connect", "qemu:///system", *arguments, check=check)

    def power(self, verb: str, host: str) -> dict[str, Any]:
        """The lab's power switch: ``off`` pulls the plug, ``start`` switches on, ``status`` tells."""
        program = ROOT / "roles" / "lab" / "files" / "lab_machine.py"
        done = subprocess.run(
            ["python3", program, "--lab", self.site.name, verb, host], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{verb} {host}: {done.stderr}"
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    # What a test asks.

    def copies(self, vm: str, *, hosts: list[str] | None = None) -> list[str]:
        """Hosts on which a domain of that VM runs, asked of libvirt itself."""
        return [host for host in hosts or self.hosts if vm in self.domains(host, "--state-running")]

    def domains(self, host: str, *filters: str) -> list[str]:
        """Names of the domains on a host, running or not unless filtered."""
        return self.virsh(host, "list", "--name", *(filters or ("--all",))).split()

    def await_vm(self, ref: str, status: str, *, timeout: float = 90) -> Vm:
        """Wait until a VM has that status."""

        def look() -> Vm | None:
            vm = self.client.vms.get(ref)
            return vm if vm["status"] == status else None

        return self.until(look, f"{ref} is {status}", timeout=timeout, state=lambda: self.client.vms.get(ref))

    def await_hosts(self, *, timeout: float = 120) -> None:
        """Wait until every host is ready."""

        def look() -> bool:
            states = {host["name"]: host["state"] for host in self.client.hosts.list()}
            return all(states.get(host) == "ready" for host in self.hosts)

        self.until(look, "all hosts are ready", timeout=timeout, state=lambda: list(self.client.hosts.list()))

    def until(
        self,
        look: Callable[[], Value | None],
        what: str,
        *,
        timeout: float,
        state: Callable[[], Any] = lambda: "",
        pause: float = 0.2,
    ) -> Value:
        """Look until there is something to see.

        :raises AssertionError: after ``timeout`` seconds, with what ``state`` says then and the end of the log.
        """
        deadline = time.monotonic() + timeout
        while True:
            seen = look()
            if seen:
                return seen
            if time.monotonic() >= deadline:
                raise AssertionError(f"not within {timeout} s: {what}; {state()}\n{self.service.tail()}")
            time.sleep(pause)

    def remove(self, *refs: str) -> None:
        """Delete VMs and wait until they are gone."""
        operations = [self.client.vms.delete(ref).get("operation") for ref in refs]
        for operation in operations:
            if operation:
                ended = self.client.operations.wait(operation, timeout=90)
                assert ended["state"] == "succeeded", ended
