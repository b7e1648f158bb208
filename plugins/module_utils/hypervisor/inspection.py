# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Looking at domains: which there are, what they are made of, what they do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..model.errors import ConflictError, HypervisorError, UnmanagedError
from ..model.metadata import NAMESPACE, DomainMetadata, read_metadata
from .binding import libvirt
from .definition import Definition, Disk
from .domain_reader import read_definition
from .domain_state import read_state
from .drift import differences
from .failure import NO_DOMAIN, explained, tolerating

# What a running guest only sees after its next start.
_NEEDS_RESTART = frozenset(
    {"cpu", "ram", "boot", "disks", "nics", "cloud_init", "machine", "huge_pages", "pinned", "numa"}
)


@dataclass(frozen=True)
class Inspection:
    """A domain as it was found.

    :param definition: the persistent one, with the sizes of its disks.
    :param managed: whether it is minicloud's.
    :param restart_required: whether the running guest still has an older definition.
    """

    domain: Any
    definition: Definition
    managed: bool
    state: str
    state_reason: str
    restart_required: bool


def inspect(domain: Any) -> Inspection:
    """Look at one domain."""
    with explained("read a domain"):
        xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        state, reason = read_state(domain)
        live_xml = domain.XMLDesc(0) if domain.isActive() else xml
    definition = read_definition(xml)
    outdated = differences(read_definition(live_xml), definition).keys() & _NEEDS_RESTART
    return Inspection(
        domain=domain,
        definition=replace(definition, disks=tuple(_with_size(domain, disk) for disk in definition.disks)),
        managed=read_metadata(xml) is not None,
        state=state,
        state_reason=reason,
        restart_required=bool(outdated),
    )


def find(connection: Any, *, uuid: str = "", vm_id: str = "", name: str = "", project: str = "") -> Inspection | None:
    """Find the managed domain of a VM by its UUID, else its id, else its name.

    :returns: None when there is none.
    :raises UnmanagedError: when a domain of somebody else has that UUID or that id as its name.
    :raises ConflictError: when UUID and id belong to different VMs, or several VMs have that name.
    """
    domain = lookup_uuid(connection, uuid) if uuid else None
    if domain is None and vm_id:
        domain = _lookup_name(connection, vm_id)
    if domain is None and not vm_id and not uuid:
        domain = _search(connection, name, project)
    if domain is None:
        return None
    found = inspect(domain)
    _check_identity(found, uuid, vm_id)
    return found


def lookup_uuid(connection: Any, uuid: str) -> Any | None:
    """The domain of that UUID; None when there is none."""
    with explained(f"look for domain {uuid}"), tolerating(NO_DOMAIN):
        return connection.lookupByUUIDString(uuid)
    return None


def list_domains(connection: Any) -> list[Inspection]:
    """Every domain of a host, minicloud's or not, by name. One that goes while it is looked at is left out."""
    with explained("list domains"):
        domains = connection.listAllDomains(0)
    found = []
    for domain in domains:
        try:
            found.append(inspect(domain))
        except HypervisorError as error:
            if error.details.get("libvirt_code") != NO_DOMAIN:
                raise
    return sorted(found, key=lambda inspection: inspection.definition.metadata.id)


def _lookup_name(connection: Any, name: str) -> Any | None:
    with explained(f"look for domain {name}"), tolerating(NO_DOMAIN):
        return connection.lookupByName(name)
    return None


def _search(connection: Any, name: str, project: str) -> Any | None:
    """The managed domain of a VM of that name, whatever its id."""
    matches = []
    with explained("list domains"):
        for domain in connection.listAllDomains(0):
            metadata = _metadata(domain)
            if metadata is not None and metadata.name == name and project in ("", metadata.project):
                matches.append((metadata, domain))
    if len(matches) > 1:
        owners = ", ".join(sorted(f"{metadata.id} (project {metadata.project})" for metadata, _domain in matches))
        raise ConflictError(f"several VMs on this host are called {name}: {owners}", hint="say which by id")
    if matches:
        return matches[0][1]
    return _lookup_name(connection, name)


def _metadata(domain: Any) -> DomainMetadata | None:
    with tolerating(NO_DOMAIN, libvirt.VIR_ERR_NO_DOMAIN_METADATA):
        return read_metadata(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE, 0))
    return None


def _check_identity(found: Inspection, uuid: str, vm_id: str) -> None:
    definition = found.definition
    where = f"domain {definition.metadata.id} (UUID {definition.uuid})"
    if not found.managed:
        raise UnmanagedError(
            f"{where} on this host was not made by minicloud, and is left alone",
            hint="rename or remove that domain, or give the VM another name",
            details={"domain": definition.metadata.id, "uuid": definition.uuid},
        )
    if uuid and definition.uuid != uuid:
        raise ConflictError(
            f"{where} has the id of this VM and another UUID than {uuid}",
            hint="one of the two is a leftover: find out which, and remove it by its own UUID",
            details={"domain": definition.metadata.id, "uuid": definition.uuid},
        )
    if vm_id and definition.metadata.id != vm_id:
        raise ConflictError(
            f"{where} has the UUID of {vm_id}",
            hint="a UUID belongs to one VM for its life; leave it out or give the right one",
            details={"domain": definition.metadata.id, "uuid": definition.uuid},
        )


def _with_size(domain: Any, disk: Disk) -> Disk:
    """A disk with its size; unknown where its file cannot be opened, which is for whoever starts it to report."""
    try:
        return replace(disk, size=int(domain.blockInfo(disk.name)[0]))
    except libvirt.libvirtError:
        return disk
