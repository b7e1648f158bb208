"""Working on the host that a private libvirtd stands for: by the real module, or by what is under it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.hypervisor.guest import REPOSITORY
from tests.integration.hypervisor.private_libvirtd import PrivateLibvirtd


def run_module(host: PrivateLibvirtd, module: str, arguments: dict[str, Any], *flags: str) -> dict[str, Any]:
    """What the module answers, failed or not, and under ``shown`` what ansible printed before it.

    :param flags: further flags for ansible, such as ``--check``.
    """
    command = [
        str(Path(sys.executable).with_name("ansible")),
        *("localhost", "--connection", "local", "--module-name", f"minicloud.libvirt.{module}"),
        *("--args", json.dumps(arguments), "--extra-vars", json.dumps({"ansible_python_interpreter": sys.executable})),
        *flags,
    ]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_STDOUT_CALLBACK": "minimal",
        "ANSIBLE_FORCE_COLOR": "0",
    }
    done = subprocess.run(
        host.inside(*command), capture_output=True, text=True, check=False, env=environment, timeout=240
    )
    shown, arrow, rest = done.stdout.partition("=> {")
    if not arrow:
        raise AssertionError(f"{module} answered nothing: {done.stdout}\n{done.stderr}")
    answer: dict[str, Any]
    answer, _end = json.JSONDecoder().raw_decode("{" + rest)
    return {**answer, "shown": shown}


def carry_out(host: PrivateLibvirtd, verb: str, order: dict[str, Any]) -> dict[str, Any]:
    """The result of one order, without ansible."""
    command = [sys.executable, "-m", "tests.integration.hypervisor.carry_out", verb, json.dumps(order)]
    # nsenter leaves the working directory behind.
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        host.inside(*command), capture_output=True, text=True, check=False, env=environment, timeout=240
    )
    if done.returncode:
        raise AssertionError(f"{verb} broke: {done.stdout}\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result
