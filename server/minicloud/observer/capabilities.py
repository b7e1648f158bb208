"""What a host says of its build in ``virConnectGetCapabilities``: NUMA nodes with their huge pages, machine types."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from minicloud_core.model.units import HUGE_PAGE_KIB

from minicloud.services.view.observation import NumaObservation

_KIB: Final = {"b": 1 / 1024, "KiB": 1, "MiB": 1024, "GiB": 1024**2}


def read_numa(capabilities: str) -> tuple[NumaObservation, ...]:
    """The host's NUMA nodes in the order of their numbers; none where it does not tell."""
    cells = ElementTree.fromstring(capabilities).iterfind("host/topology/cells/cell")
    return tuple(sorted((_read_cell(cell) for cell in cells), key=lambda node: node.id))


def read_machines(capabilities: str, architecture: str) -> tuple[str, ...]:
    """The machine types that the host offers its guests of an architecture, by name."""
    for guest in ElementTree.fromstring(capabilities).iterfind("guest"):
        arch = guest.find("arch")
        if arch is not None and arch.get("name") == architecture and guest.findtext("os_type") == "hvm":
            return tuple(sorted({machine.text or "" for machine in arch.iter("machine")} - {""}))
    return ()


def _read_cell(cell: Element) -> NumaObservation:
    huge = [pages for pages in cell.iterfind("pages") if _kib(pages, pages.get("size")) == HUGE_PAGE_KIB]
    return NumaObservation(
        id=int(cell.get("id", "0")),
        cpu=len(cell.findall("cpus/cpu")),
        ram_mib=_kib(cell.find("memory"), cell.findtext("memory")) // 1024,
        huge_pages_mib=sum(int(pages.text or 0) for pages in huge) * HUGE_PAGE_KIB // 1024,
    )


def _kib(element: Element | None, figure: str | None) -> int:
    """A figure in KiB; its unit is the element's."""
    if element is None:
        return 0
    return int(int(figure or 0) * _KIB[element.get("unit", "KiB")])
