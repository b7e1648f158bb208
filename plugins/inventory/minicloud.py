# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet as an inventory: hosts and VMs from the state database, or from the service."""

from __future__ import annotations

DOCUMENTATION = r"""
name: minicloud
short_description: Hosts and VMs of a minicloud
version_added: 0.1.0
author:
  - The minicloud authors (@minicloud)
description:
  - Reads hosts and VMs from the views C(inventory_v1_hosts) and C(inventory_v1_vms) of the state database, without
    writing to it, or asks the service for the same rows.
  - The source is O(database) or O(url) of the file. If it has neither, E(MINICLOUD_DATABASE) is used, then
    E(MINICLOUD_URL).
  - Hosts are in the group C(hypervisors). VMs are in the group C(vms), in C(host_NAME) of the host that they are on,
    and in C(project_NAME).
  - A VM is called by its name. If its name is not its own, because another VM or a host has it or it means something
    to Ansible, such as C(localhost), it is called by its id.
  - Variables are called C(minicloud_…). Texts from the database are data. They are never evaluated as templates.
options:
  plugin:
    description:
      - Tells that the file is for this plugin.
    type: str
    required: true
    choices: [minicloud.libvirt.minicloud]
  database:
    description:
      - The state database. The path of an SQLite file, relative to the inventory file, or a URL such as
        V(sqlite:////var/lib/minicloud/minicloud.db) or V(postgresql://minicloud@db/minicloud).
      - PostgreSQL needs psycopg.
    type: str
  url:
    description:
      - Where the service listens.
    type: str
  token:
    description:
      - The bearer token for O(url).
      - If neither this nor O(token_file) is set, E(MINICLOUD_TOKEN) is used, then the file that
        E(MINICLOUD_TOKEN_FILE) names. For a service on this machine the last resort is C(token) in
        E(MINICLOUD_STATE_DIR) or C(.minicloud).
    type: str
  token_file:
    description:
      - A file that holds the token alone.
    type: path
  timeout:
    description:
      - Seconds that the service's answer may take.
    type: float
    default: 30
  validate_certs:
    description:
      - Whether the service's TLS certificate is checked.
    type: bool
    default: true
  ca_path:
    description:
      - PEM file of the authority that signed the service's certificate.
    type: path
  hosts:
    description:
      - Whether hosts are shown.
    type: bool
    default: true
  vms:
    description:
      - Whether VMs are shown.
    type: bool
    default: true
  vm_names:
    description:
      - What VMs are called.
    type: str
    choices: [name, id]
    default: name
  filters:
    description:
      - Shows only hosts and VMs that have these values. All of them count. A list means any of its values.
      - For C(hosts) there are C(name), C(state), C(cordoned), C(accelerator) and C(labels); for C(vms) C(id), C(name),
        C(project), C(status), C(desired), C(host), C(image) and C(labels).
    type: dict
    default: {}
extends_documentation_fragment:
  - constructed
  - inventory_cache
"""

EXAMPLES = r"""
# What is to be shown, from the database beside the service.
plugin: minicloud.libvirt.minicloud
database: ../.minicloud/minicloud.db

---
# The service's answer, running VMs of one project alone, grouped by a label.
plugin: minicloud.libvirt.minicloud
url: https://cloud.example.com
token_file: ~/.minicloud-token
filters:
  vms:
    project: shop
    status: [running, paused]
    labels:
      tier: web
keyed_groups:
  - key: minicloud_labels.role
    prefix: role
compose:
  ansible_user: "'debian'"
groups:
  small: minicloud_ram_mib < 1024
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.minicloud.libvirt.plugins.module_utils.api import ApiClient, failure_of
from ansible_collections.minicloud.libvirt.plugins.module_utils.inventory.build import Entry, Selection, build
from ansible_collections.minicloud.libvirt.plugins.module_utils.inventory.fetch import Rows, read_database, read_service
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.errors import InputError, MinicloudError, Problem


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    """Fetch rows, build entries, publish them."""

    NAME = "minicloud.libvirt.minicloud"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("minicloud.yml", "minicloud.yaml"))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        try:
            selection = Selection(**{key: self.get_option(key) for key in ("hosts", "vms", "filters", "vm_names")})
            entries = build(self._cached_rows(config, path, cache), selection, self._warn)
        except MinicloudError as error:
            raise AnsibleParserError(f"{path}: {failure_of(error)['msg']}") from error
        for entry in entries:
            self._publish(entry)

    def _warn(self, message: str) -> None:
        if self.get_option("strict"):
            raise InputError([Problem("strict", message, "mend the row, or set strict to false")])
        self.display.warning(message)

    def _cached_rows(self, config: Mapping[str, Any], path: str, cache: bool) -> Rows:
        """The rows, from the cache where that is wanted and has them."""
        if not self.get_option("cache"):
            return self._fetch(config, path)
        key = self.get_cache_key(path)
        if cache and key in self._cache:
            rows: Rows = self._cache[key]
            return rows
        rows = self._fetch(config, path)
        self._cache[key] = rows
        return rows

    def _fetch(self, config: Mapping[str, Any], path: str) -> Rows:
        kind, address, folder = self._source(config, path)
        if kind == "database":
            return read_database(address, folder=folder)
        options = {key: self.get_option(key) for key in ("token", "token_file", "timeout", "validate_certs", "ca_path")}
        return read_service(ApiClient.from_options({**options, "url": address}))

    def _source(self, config: Mapping[str, Any], path: str) -> tuple[str, str, Path]:
        """Which of the two sources counts: what the file says wins over the environment.

        :returns: ``database`` or ``url``, its address, and what a relative path is relative to.
        :raises InputError: when there is none, or the file names both.
        """
        named = [kind for kind in ("database", "url") if config.get(kind)]
        if len(named) > 1:
            raise InputError([Problem("url", "database and url exclude each other", "one of them")])
        if named:
            return named[0], str(self.get_option(named[0])), Path(path).absolute().parent
        for kind in ("database", "url"):
            found = os.environ.get(f"MINICLOUD_{kind.upper()}")
            if found:
                return kind, found, Path.cwd()
        wanted = "database or url in the file, or MINICLOUD_DATABASE or MINICLOUD_URL in the environment"
        raise InputError([Problem("database", "there is no source to read from", wanted)])

    def _publish(self, entry: Entry) -> None:
        self.inventory.add_host(entry.name)
        for group in entry.groups:
            self.inventory.add_child(self.inventory.add_group(self._sanitize_group_name(group)), entry.name)
        for key, value in entry.variables.items():
            self.inventory.set_variable(entry.name, key, value)
        variables, strict = dict(entry.variables), self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, entry.name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, entry.name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, entry.name, strict=strict)
