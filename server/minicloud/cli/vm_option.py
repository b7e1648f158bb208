"""Options by which commands are told what a VM needs of a host, and of its place."""

from __future__ import annotations

from typing import Annotated

import typer

CpuOption = Annotated[int | None, typer.Option(help="Virtual CPUs.", show_default=False)]
RamOption = Annotated[str | None, typer.Option(help="Memory: 4G, 512M, or MiB.", show_default=False)]
ImageOption = Annotated[str | None, typer.Option(help="What it boots from.", show_default=False)]
DiskOption = Annotated[list[str] | None, typer.Option(metavar="SIZE[:POOL]", help="A disk, 10G; repeat for more.")]
NicOption = Annotated[
    list[str] | None, typer.Option(metavar="NETWORK[:MODEL]", help="A network card; repeat for more.")
]
LabelOption = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label; repeat for more.")]
HostOption = Annotated[str | None, typer.Option(help="This host and no other.", show_default=False)]
HostLabelOption = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only a host with this label; repeat for more.")
]
GroupOption = Annotated[str | None, typer.Option(help="The group that it is one of.", show_default=False)]
AffinityOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TERM",
        help="With vm:NAME, group:NAME or VMs of a label KEY=VALUE, perhaps in one domain (group:db@rack);"
        " repeat for more.",
    ),
]
AntiAffinityOption = Annotated[
    list[str] | None, typer.Option(metavar="TERM", help="On no host, or in no domain, of theirs; repeat for more.")
]
PreferWithOption = Annotated[list[str] | None, typer.Option(metavar="TERM", help="Rather with them; repeat for more.")]
PreferApartOption = Annotated[
    list[str] | None, typer.Option(metavar="TERM", help="Rather apart from them; repeat for more.")
]
SpreadOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL[:N[:VMLABEL]]",
        help="At most N (1) of its group, or with its value of VMLABEL, on hosts of one LABEL; repeat for more.",
    ),
]
PriorityOption = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER|CLASS",
        help="VMs of a lower one may have to make room; a number, or a class of the service's policy.",
        show_default=False,
    ),
]
PinnedOption = Annotated[
    bool, typer.Option("--pinned", help="A thread for itself for each virtual CPU, and no planner moves it.")
]
MachineOption = Annotated[
    str | None, typer.Option(metavar="TYPE", help="Its machine type: q35, pc, pc-q35-7.2.", show_default=False)
]
NumaOption = Annotated[
    int, typer.Option(min=0, metavar="N", help="On so many NUMA nodes of its host, which it sees as its own.")
]
HugePagesOption = Annotated[bool, typer.Option("--huge-pages", help="Memory in huge pages of its host's.")]
CpuFeatureOption = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only a host whose CPU has it: avx2; repeat for more.")
]
BandwidthOption = Annotated[
    int | None, typer.Option(metavar="MBPS", help="Network bandwidth kept for it, Mbit/s.", show_default=False)
]
