"""What a host's processors can do, as its guests see it."""

from __future__ import annotations

from xml.etree import ElementTree

import libvirt

_DOMAIN_TYPES = {"kvm": "kvm", "tcg": "qemu"}


def read_cpu_features(connection: libvirt.virConnect, architecture: str, accelerator: str) -> tuple[str, ...]:
    """Names of the CPU features that a guest of ``host-model`` has; empty where the host cannot tell."""
    kind = _DOMAIN_TYPES[accelerator]
    try:
        model = host_model(connection.getDomainCapabilities(None, architecture, None, kind))
        if model is None:
            return ()
        expand = libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
        return features_of(connection.baselineHypervisorCPU(None, architecture, None, kind, [model], expand))
    except libvirt.libvirtError:
        # An old libvirt, or an architecture whose models it does not know.
        return ()


def host_model(capabilities: str) -> str | None:
    """The CPU that ``host-model`` gives a guest, as XML, from ``virConnectGetDomainCapabilities``."""
    for mode in ElementTree.fromstring(capabilities).iterfind("cpu/mode"):
        if mode.get("name") == "host-model" and mode.get("supported") == "yes":
            cpu = ElementTree.Element("cpu")
            cpu.extend(mode)
            return ElementTree.tostring(cpu, encoding="unicode")
    return None


def features_of(cpu: str) -> tuple[str, ...]:
    """The features that a CPU has, sorted, from one whose model is written out."""
    found = ElementTree.fromstring(cpu).iterfind("feature")
    return tuple(sorted(str(one.get("name")) for one in found if one.get("policy") == "require"))
