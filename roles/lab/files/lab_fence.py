# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's fence agent: the FenceAgent API over `minicloud_lab.power`.

Options come as ``key=value`` lines on standard input, or as long options when there are any. Exit codes: 0 for success
(and a host that is on), 2 for a host that is off (action status alone), 1 for everything that failed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn
from xml.etree import ElementTree

from minicloud_lab import places
from minicloud_lab.description import Lab
from minicloud_lab.errors import LabError
from minicloud_lab.power import Power, State

ON, OFF, FAILED = 0, 2, 1


@dataclass(frozen=True)
class Parameter:
    """One option of the agent, as its metadata tell."""

    name: str
    kind: str
    default: str | None
    text: str


PARAMETERS = (
    Parameter("action", "string", "reboot", "What to do"),
    Parameter("plug", "string", None, "Host of the lab, such as node1"),
    Parameter("port", "string", None, "The older name of plug"),
    Parameter("lab", "string", "mc", "Name of the lab"),
    Parameter("delay", "second", "0", "Seconds to wait before fencing starts"),
)
_KNOWN = {parameter.name: parameter for parameter in PARAMETERS}


@dataclass(frozen=True)
class Request:
    """What the agent was asked for."""

    action: str
    plug: str
    lab: str
    delay: float

    @classmethod
    def from_options(cls, options: dict[str, str]) -> Request:
        """Fill in the defaults.

        :raises LabError: the delay is not a number of seconds.
        """
        values = {name: options.get(name, parameter.default or "") for name, parameter in _KNOWN.items()}
        try:
            delay = float(values["delay"])
        except ValueError as bad:
            raise LabError(f"delay {values['delay']!r}: a number of seconds is right") from bad
        return cls(values["action"].lower(), values["plug"] or values["port"], values["lab"], delay)


def from_lines(lines: Iterable[str]) -> dict[str, str]:
    """Options from standard input; unknown ones are passed over: cluster managers send what any agent might want."""
    options = {}
    for line in lines:
        name, given, value = line.strip().partition("=")
        name = name.strip().replace("-", "_")
        if given and not name.startswith("#") and name in _KNOWN:
            options[name] = value.strip()
    return options


class _Parser(argparse.ArgumentParser):
    """A command line whose errors are failures: argparse's own exit code would say "off" to who asks for the status."""

    def error(self, message: str) -> NoReturn:
        raise LabError(f"{message}; --help lists the options")


def from_words(words: list[str]) -> dict[str, str]:
    """Options from the command line."""
    parser = _Parser(prog="fence_minicloud_lab", description="Switch hosts of the lab on and off.")
    short = {"action": ["-o"], "plug": ["-n"]}
    for parameter in PARAMETERS:
        parser.add_argument(*short.get(parameter.name, []), f"--{parameter.name}", help=parameter.text)
    return {name: value for name, value in vars(parser.parse_args(words)).items() if value is not None}


def metadata() -> str:
    """The agent's description, XML as cluster managers read it."""
    agent = ElementTree.Element(
        "resource-agent", name="fence_minicloud_lab", shortdesc="Fence agent for hosts of the minicloud lab"
    )
    ElementTree.SubElement(
        agent, "longdesc"
    ).text = "Switches the systemd-nspawn machines of a lab on this machine on and off."
    ElementTree.SubElement(agent, "vendor-url").text = ""
    parameters = ElementTree.SubElement(agent, "parameters")
    for parameter in PARAMETERS:
        entry = ElementTree.SubElement(parameters, "parameter", name=parameter.name, required="0", unique="0")
        ElementTree.SubElement(entry, "getopt", mixed=f"--{parameter.name}=[{parameter.name}]")
        content = ElementTree.SubElement(entry, "content", type=parameter.kind)
        if parameter.default is not None:
            content.set("default", parameter.default)
        ElementTree.SubElement(entry, "shortdesc", lang="en").text = parameter.text
    actions = ElementTree.SubElement(agent, "actions")
    for name in ("metadata", *ACTIONS):
        ElementTree.SubElement(actions, "action", name=name)
    ElementTree.indent(agent)
    return '<?xml version="1.0" ?>\n' + ElementTree.tostring(agent, encoding="unicode") + "\n"


def power_of(request: Request) -> Power:
    """The host's power.

    :raises LabError: the request names no host, or one that is not there.
    """
    if not request.plug:
        raise LabError(f"action {request.action} needs plug=HOST, such as plug=node1")
    lab = places.require(request.lab)
    return Power(lab, lab.host(request.plug))


def switch_on(request: Request) -> int:
    """Switch the host on and see that it is."""
    power = power_of(request)
    time.sleep(request.delay)
    power.start()
    return _verified(request, power, State.ON)


def switch_off(request: Request) -> int:
    """Pull the host's plug and see that it is off."""
    power = power_of(request)
    time.sleep(request.delay)
    power.off()
    return _verified(request, power, State.OFF)


def reboot(request: Request) -> int:
    """Off, and on again: only a host that was seen off is switched on."""
    power = power_of(request)
    time.sleep(request.delay)
    power.off()
    _verified(request, power, State.OFF)
    power.start()
    return _verified(request, power, State.ON)


def status(request: Request) -> int:
    """Tell the host's power; a host that hangs has power."""
    off = power_of(request).state() is State.OFF
    sys.stdout.write(f"Status: {'OFF' if off else 'ON'}\n")
    return OFF if off else ON


def monitor(request: Request) -> int:
    """See that power can be controlled: of the one host, or of the lab when none is named."""
    for power in [power_of(request)] if request.plug else _all(places.require(request.lab)).values():
        power.state()
    return 0


def list_hosts(request: Request) -> int:
    """Print the hosts, as ``plug,name``."""
    for name in _all(places.require(request.lab)):
        sys.stdout.write(f"{name},{request.lab}-{name}\n")
    return 0


def list_status(request: Request) -> int:
    """Print the hosts with their power, as ``plug,name,STATUS``."""
    for name, power in _all(places.require(request.lab)).items():
        sys.stdout.write(f"{name},{request.lab}-{name},{'OFF' if power.state() is State.OFF else 'ON'}\n")
    return 0


ACTIONS: dict[str, Callable[[Request], int]] = {
    "on": switch_on,
    "off": switch_off,
    "reboot": reboot,
    "status": status,
    "monitor": monitor,
    "list": list_hosts,
    "list-status": list_status,
    "validate-all": monitor,
}


def _all(lab: Lab) -> dict[str, Power]:
    return {host.name: Power(lab, host) for host in lab.hosts}


def _verified(request: Request, power: Power, wanted: State) -> int:
    state = power.state()
    if state is not wanted:
        raise LabError(
            f"{request.plug} of lab {request.lab} is {state.value} after action {request.action}, not {wanted.value}"
        )
    sys.stdout.write(f"Success: {request.plug} is {state.value}\n")
    return 0


def perform(request: Request) -> int:
    """Do what was asked for; the exit code.

    :raises LabError: there is no such action, or it failed.
    """
    if request.action == "metadata":
        sys.stdout.write(metadata())
        return 0
    act = ACTIONS.get(request.action)
    if act is None:
        raise LabError(f"unknown action {request.action!r}; known are metadata, {', '.join(ACTIONS)}")
    return act(request)


def main() -> int:
    """Run the agent; the exit code."""
    try:
        request = Request.from_options(from_words(sys.argv[1:]) if len(sys.argv) > 1 else from_lines(sys.stdin))
        return perform(request)
    except LabError as failure:
        sys.stderr.write(f"fence_minicloud_lab: {failure}\n")
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
