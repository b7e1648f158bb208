# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab from the command line: ``python3 lab_machine.py --lab mc status --all``.

Every command prints one JSON object, with ``changed`` where it can change something. A refusal goes to standard
error, with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from minicloud_lab import description, places, site
from minicloud_lab.description import Lab, Wish
from minicloud_lab.errors import LabError
from minicloud_lab.power import Power

# What can be done to a host, by the word for it on the command line; each says whether it changed something.
VERBS: dict[str, tuple[str, Callable[[Power], bool]]] = {
    "stop": ("shut down in order, within a few seconds", lambda power: power.stop()),
    "off": ("pull the plug", lambda power: power.off()),
    "hang": ("stop the host's time", lambda power: power.hang(True)),
    "resume": ("let a hung host go on", lambda power: power.hang(False)),
    "partition": ("cut the network cable", lambda power: power.partition(True)),
    "heal": ("mend the network cable", lambda power: power.partition(False)),
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="lab_machine.py", description="Lab hosts on this machine: power, cables and the lab itself."
    )
    top.add_argument("--lab", default="mc", help="name of the lab (default: %(default)s)")
    commands = top.add_subparsers(dest="command", required=True)

    create = commands.add_parser("create", help="make the lab, or add hosts to it; starts nothing")
    create.add_argument("--subnet", required=True, help="private IPv4 /24 of the lab")
    create.add_argument("--hosts", type=int, required=True, help="number of hosts wanted")
    create.add_argument("--base", required=True, help="directory of the shared root file system")
    create.add_argument("--packages", required=True, help="directory of the package repository")
    commands.add_parser("show", help="the lab's description")
    commands.add_parser("destroy", help="take the lab away, whatever is left of it")

    verbs = {
        "start": "switch on",
        "status": "tell the power: off, on or hung",
        **{verb: text for verb, (text, _act) in VERBS.items()},
    }
    for verb, text in verbs.items():
        power = commands.add_parser(verb, help=text)
        power.add_argument("hosts", nargs="*", metavar="HOST", help="such as node1")
        power.add_argument("--all", action="store_true", help="every host of the lab")
    return top


def chosen(lab: Lab, arguments: argparse.Namespace) -> list[str]:
    """The hosts that the command line names.

    :raises LabError: none, or one that the lab does not have.
    """
    if bool(arguments.hosts) == arguments.all:
        raise LabError(f"{arguments.command}: name hosts of lab {lab.name}, or say --all")
    return [lab.host(name).name for name in arguments.hosts] or [host.name for host in lab.hosts]


def perform(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do what the command line says; the answer to print."""
    name: str = arguments.lab
    if arguments.command == "create":
        lab, changed = site.create(Wish(name, arguments.subnet, arguments.hosts, arguments.base, arguments.packages))
        return {"changed": changed, "lab": shown(lab)}
    if arguments.command == "destroy":
        return {"changed": site.destroy(name)}
    lab = places.require(name)
    if arguments.command == "show":
        return {"lab": shown(lab)}
    hosts = chosen(lab, arguments)
    if arguments.command == "status":
        return {"hosts": {host: Power(lab, lab.host(host)).state().value for host in hosts}}
    if arguments.command == "start":
        acted = site.start(lab, hosts)
    else:
        _text, act = VERBS[arguments.command]
        acted = [host for host in hosts if act(Power(lab, lab.host(host)))]
    return {"changed": bool(acted), "hosts": acted}


def shown(lab: Lab) -> dict[str, Any]:
    """The description, with what follows from it."""
    own = places.Places(lab.name)
    return {
        **description.to_mapping(lab),
        "gateway": lab.gateway,
        "bridge": lab.bridge,
        "key": str(own.key),
        "known_hosts": str(own.known_hosts),
        "run": str(own.run),
        "state": str(own.state),
    }


def main() -> int:
    """Run the command line; the exit code."""
    try:
        answer = perform(parser().parse_args())
    except LabError as refusal:
        sys.stderr.write(f"lab: {refusal}\n")
        return 1
    sys.stdout.write(f"{json.dumps(answer)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
