"""How long a VM takes from the request until it runs, beside `virsh define` and `virsh start` by hand.

Both on the same host in the same run, in turn, so that what else the machine does hits both alike. By hand means one
`ssh` to the host with the commands in it, timed on the host itself: what a connection costs is not held against it.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.figures import Table, percentile, whole_seconds
from tests.lab.fleet import Fleet

SPEC = {"ram": 128, "cpu": 1}
_PATH = "/run/minicloud-bench"


def measure(fleet: Fleet, *, rounds: int, batch: int) -> Table:
    """One VM after the other, then many at once."""
    host = fleet.hosts[0]
    with _template(fleet, host) as template:
        alone = [(_by_api(fleet, host, 1), _by_hand(fleet, host, template, 1)) for _round in range(rounds)]
        many = [(_by_api(fleet, host, batch), _by_hand(fleet, host, template, batch)) for _round in range(3)]
    return Table(
        "VMs",
        "128 MiB tiny guests without a disk, all on one host. By hand is `virsh define` and `virsh start` for each, "
        "one after the other over the host's own socket. "
        f"One VM: {rounds} rounds; {batch} at once: {len(many)} rounds, "
        "from the first request until the last VM runs.",
        ("what", "through the API, median", "worst", "by hand, median", "worst", "ratio of medians"),
        (_row("one VM", alone), _row(f"{batch} VMs at once", many)),
    )


def _row(name: str, pairs: list[tuple[float, float]]) -> tuple[str, ...]:
    api, hand = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    middle_api, middle_hand = percentile(api, 0.5), percentile(hand, 0.5)
    return (
        name,
        whole_seconds(middle_api),
        whole_seconds(max(api)),
        whole_seconds(middle_hand),
        whole_seconds(max(hand)),
        f"{middle_api / middle_hand:.1f}",
    )


def _by_api(fleet: Fleet, host: str, count: int) -> float:
    """Seconds from the first POST's acceptance until every VM is seen running."""
    names = [f"bench-{uuid.uuid4().hex[:8]}" for _number in range(count)]
    vms = fleet.client.vms
    accepted = [vms.create({**SPEC, "name": names[0], "host": host})]
    started = time.perf_counter()
    accepted += [vms.create({**SPEC, "name": name, "host": host}) for name in names[1:]]
    for vm in accepted:
        operation = fleet.client.request("GET", f"/v1/operations/{vm['operation']}", timeout=30).json()
        while operation["state"] not in ("succeeded", "failed", "cancelled"):
            time.sleep(0.02)
            operation = fleet.client.operations.get(operation["id"])
        assert operation["state"] == "succeeded", operation
    seconds = time.perf_counter() - started
    assert all(vms.get(vm["id"])["status"] == "running" for vm in accepted)
    fleet.remove(*names)
    return seconds


@contextmanager
def _template(fleet: Fleet, host: str) -> Iterator[str]:
    """The XML of a VM as minicloud makes it, without what must differ from one to the next."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    vm = fleet.client.vms.create({**SPEC, "name": name, "host": host}, wait=60)
    xml = fleet.virsh(host, "dumpxml", "--inactive", vm["id"])
    xml = re.sub(r"<metadata>.*?</metadata>", "", xml, flags=re.DOTALL)
    xml = re.sub(r"<title>.*?</title>", "", xml)
    xml = re.sub(r"<uuid>.*?</uuid>", "", xml)
    xml = re.sub(r"<mac address='[^']*'/>", "", xml)
    xml = re.sub(r"<log file='[^']*'[^>]*/>", "", xml)
    try:
        yield re.sub(r"<name>.*?</name>", "<name>@NAME@</name>", xml)
    finally:
        fleet.remove(name)


def _by_hand(fleet: Fleet, host: str, template: str, count: int) -> float:
    """Seconds for a `virsh define` and a `virsh start` for each of so many domains."""
    names = [f"hand{number}" for number in range(count)]
    fleet.ssh(host, f"mkdir -p {_PATH} && cat > {_PATH}/template.xml <<'END'\n{template}\nEND")
    for name in names:
        fleet.ssh(host, f"sed s/@NAME@/{name}/ {_PATH}/template.xml > {_PATH}/{name}.xml")
    work = "; ".join(
        f"virsh -q define {_PATH}/{name}.xml >/dev/null && virsh -q start {name} >/dev/null" for name in names
    )
    printed = fleet.ssh(host, f"set -e; begin=$(date +%s%N); {work}; echo $(( $(date +%s%N) - begin ))", timeout=300)
    assert set(names) <= set(fleet.domains(host, "--state-running"))
    fleet.ssh(host, "; ".join(f"virsh -q destroy {name}; virsh -q undefine {name}" for name in names), timeout=120)
    return int(printed.split()[-1]) / 1e9
