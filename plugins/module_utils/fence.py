# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Driving a fence agent by the FenceAgent API, and not believing it.

An agent reads ``key=value`` lines on its standard input. For ``status`` it exits with 0 when the power is on and 2 when
it is off; for everything else 0 is success. https://github.com/ClusterLabs/fence-agents/blob/main/doc/FenceAgentAPI.md
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from .model.errors import FenceError, InputError, Problem

ACTIONS: Final = ("off", "on", "reboot", "status")
# What the power is once the action has worked.
_ENDS_IN: Final = {"off": "off", "on": "on", "reboot": "on"}
_POWER: Final = {0: "on", 2: "off"}

_SECRET: Final = re.compile(r"passw|passphrase|secret|community|token|_key$", re.IGNORECASE)
_OPTION: Final = re.compile(r"^[A-Za-z0-9_-]+$")
# Where distributions put agents; a login shell's PATH often lacks these.
_FOLDERS: Final = ("/usr/sbin", "/sbin", "/usr/local/sbin")
_WORDS_LIMIT: Final = 500


class _Module(Protocol):
    no_log_values: set[str]


def hide_secrets(module: _Module, options: Mapping[str, Any]) -> None:
    """Have Ansible blank out what looks like a secret among an agent's options, wherever it would print it."""
    module.no_log_values.update(str(value) for key, value in options.items() if _SECRET.search(key) and value)


@dataclass(frozen=True)
class Power:
    """What became of a host's power. ``before`` and ``after`` are ``on`` or ``off``."""

    before: str
    after: str
    changed: bool


@dataclass(frozen=True)
class FenceAgent:
    """One host's fence agent.

    :param name: a program's name or path.
    :param options: what it is told beside the action: ``ip``, ``username``, ``plug``.
    :param timeout: seconds for one call, and for the power to follow a command.
    :param poll: seconds between two looks at the power.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 60.0
    poll: float = 0.5
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        problems = [
            Problem(f"options.{key}", "not an option that an agent can be told", "a name, and a value of one line")
            for key, value in self.options.items()
            if not _OPTION.fullmatch(str(key)) or key == "action" or "\n" in str(value) or "\0" in str(value)
        ]
        if problems:
            raise InputError(problems)

    def status(self) -> str:
        """The power as the agent tells it: ``on`` or ``off``.

        :raises FenceError: when it cannot tell.
        """
        code, words = self._call("status")
        if code not in _POWER:
            raise FenceError(
                f"{self.name} cannot tell the power: it exited with {code}{words}",
                hint="check its options by hand: it reads key=value lines on its standard input",
                details={"agent": self.name, "action": "status", "exit_code": code},
            )
        return _POWER[code]

    def switch(self, action: str, *, dry_run: bool = False) -> Power:
        """Carry out an action and see for oneself that it worked.

        :param action: ``off``, ``on``, ``reboot`` or ``status``. A host that is off already is not switched off again.
        :raises FenceError: when the agent is missing, hangs or fails, or says that it worked and the power says
            otherwise.
        """
        before = self.status()
        if action == "status" or (action != "reboot" and before == action):
            return Power(before, before, changed=False)
        wanted = _ENDS_IN[action]
        if dry_run:
            return Power(before, wanted, changed=True)
        code, words = self._call(action)
        if code != 0:
            raise FenceError(
                f"{self.name} could not switch {action}: it exited with {code}{words}",
                hint="run it by hand with the same options; the power is as it was, as far as the agent knows",
                details={"agent": self.name, "action": action, "exit_code": code, "before": before},
            )
        return Power(before, self._await(wanted, action), changed=True)

    def _await(self, wanted: str, action: str) -> str:
        deadline = self.clock() + self.timeout
        while (power := self.status()) != wanted:
            if self.clock() >= deadline:
                raise FenceError(
                    f"{self.name} says that {action} worked, yet {self.timeout:g} s later the power is {power}",
                    hint="check that its options name the right machine; do not take anything over from it",
                    details={"agent": self.name, "action": action, "power": power},
                )
            self.sleep(self.poll)
        return power

    def _call(self, action: str) -> tuple[int, str]:
        """Run the agent once.

        :returns: its exit code, and its words ready to be put behind a sentence.
        """
        lines = [f"action={action}", *(f"{key}={value}" for key, value in self.options.items())]
        with subprocess.Popen(
            [self._find()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            # Agents start children; all of them must go when time is up.
            start_new_session=True,
        ) as process:
            try:
                output, _unused = process.communicate(("\n".join(lines) + "\n").encode(), timeout=self.timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise FenceError(
                    f"{self.name} did not answer to {action} within {self.timeout:g} s and was stopped",
                    hint="check that the machine's power controller is reachable, or allow more time",
                    details={"agent": self.name, "action": action, "timeout": self.timeout},
                ) from None
        words = " ".join(output.decode(errors="replace").split())[-_WORDS_LIMIT:]
        return process.returncode, f": {words}" if words else ""

    def _find(self) -> str:
        search = os.pathsep.join([os.environ.get("PATH", os.defpath), *_FOLDERS])
        path = shutil.which(self.name, path=search)
        if path is None:
            raise FenceError(
                f"there is no fence agent {self.name} on this machine",
                hint="install it (Debian: fence-agents), or give its whole path",
                details={"agent": self.name},
            )
        return path
