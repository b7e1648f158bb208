"""Definitions of all shapes, for properties that hold for every one of them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from minicloud_core.hypervisor.definition import Definition, Disk, KernelBoot, Seed
from minicloud_core.hypervisor.seat import Seat, choose_threads
from minicloud_core.hypervisor.topology import Topology
from minicloud_core.model.metadata import DomainMetadata
from minicloud_core.model.order import NicOrder

# Everything that XML can carry; control characters are refused before anything is rendered.
TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"), max_size=30)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
PATHS = TEXT.map(lambda text: "/srv/" + text.strip())
UUIDS = st.uuids().map(str)
MACS = st.integers(0, 2**24 - 1).map(lambda n: f"52:54:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}")
DISKS = st.lists(st.sampled_from([f"vd{letter}" for letter in "abcdefgh"]), unique=True, max_size=5).flatmap(
    lambda names: st.tuples(*(st.builds(Disk, name=st.just(name), path=PATHS, block=st.booleans()) for name in names))
)
NICS = st.lists(
    st.builds(NicOrder, network=NAMES, mac=MACS, model=st.sampled_from(["virtio", "e1000"])),
    unique_by=lambda nic: nic.mac,
    max_size=4,
).map(tuple)
METADATA = st.builds(DomainMetadata, id=NAMES, name=TEXT, project=TEXT, spec_hash=TEXT, epoch=st.integers(0, 2**31))
BOOTS = st.none() | st.builds(KernelBoot, kernel=PATHS, initrd=st.just("") | PATHS, cmdline=TEXT.map(str.strip))


def _seated(definition: Definition) -> Definition:
    """The definition with threads, where it is to have any: there is always room on this host, and parts are equal."""
    even = [many for many in range(len(definition.numa) + 1) if not definition.cpu % max(1, many)]
    definition = replace(definition, numa=definition.numa[: max(even)])
    size = definition.cpu if definition.pinned else 2
    topology = Topology({node: tuple(range(1000 * node, 1000 * node + size)) for node in range(4)})
    return replace(definition, threads=choose_threads(Seat.of(definition), topology, ()))


DEFINITIONS = st.builds(
    Definition,
    uuid=UUIDS,
    metadata=METADATA,
    cpu=st.integers(1, 512),
    ram=st.integers(64, 2**24),
    boot=BOOTS,
    disks=DISKS,
    nics=NICS,
    labels=st.dictionaries(TEXT, TEXT, max_size=5),
    seed=st.none() | st.builds(Seed, digest=st.from_regex(r"[0-9a-f]{64}", fullmatch=True), path=PATHS),
    machine=st.just("q35"),
    huge_pages=st.booleans(),
    pinned=st.booleans(),
    numa=st.lists(st.integers(0, 3), unique=True, max_size=4).map(tuple),
).map(_seated)
