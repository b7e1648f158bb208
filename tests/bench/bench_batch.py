"""How many VMs of a batch are placed: one by one, all at once, and at the most, as OR-tools' CP-SAT proves it."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Final

from minicloud_core.scheduler.batch import Batch, place_batch
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import PACK

from tests.bench import optimum
from tests.bench.figures import Table

# Hosts, and how often what is free of the scarcer thing is asked for.
KINDS: Final = ((6, 1.0), (6, 1.2), (10, 1.0), (10, 1.1), (10, 1.4))
INSTANCES: Final = 5
PATIENCE: Final = 10.0
POLICY: Final = replace(PACK, limits=optimum.AS_FREE)


def measure() -> list[Table]:
    """Batches."""
    return [
        Table(
            "Batches",
            f"VMs placed of batches that ask for more than there is, {INSTANCES} random instances of each kind: one by "
            "one in the order given by `pack`, all at once, and the most that fit, by OR-tools' CP-SAT (or what it "
            f"proves cannot be exceeded, within {PATIENCE:g} s). The last column is the worst instance's.",
            (
                "hosts",
                "asked for / free",
                "VMs",
                "one by one",
                "at once",
                "seconds of processor",
                "most",
                "worst / most",
            ),
            tuple(_row(hosts, crowding) for hosts, crowding in KINDS),
        )
    ]


def _row(hosts: int, crowding: float) -> tuple[str, ...]:
    instances = [optimum.draw(hosts, random.Random(seed), crowding) for seed in range(INSTANCES)]
    one_by_one = sum(map(_one_by_one, instances))
    began = time.process_time()
    placed = [len(place_batch(one.fleet(), Batch(vms=one.vms), POLICY, now=0.0).placed) for one in instances]
    seconds = (time.process_time() - began) / INSTANCES
    wanted = sum(len(one.vms) for one in instances)
    figures = (f"{hosts}", f"{crowding:g}", f"{wanted}", f"{one_by_one}", f"{sum(placed)}", f"{seconds:.2f}")
    try:
        most = [optimum.most(one, PATIENCE)[0] for one in instances]
    except ImportError:
        return (*figures, "not tried", "")
    worst = min(mine / best for mine, best in zip(placed, most, strict=True))
    return (*figures, f"{sum(most)}", f"{worst:.3f}")


def _one_by_one(instance: optimum.Instance) -> int:
    scheduler = Scheduler(instance.fleet(), POLICY)
    for vm in instance.vms:
        host = scheduler.choose(vm.request, now=0.0)
        if host is not None:
            scheduler.take(vm.id, host, vm.request)
    return len(scheduler.fleet.vms())
