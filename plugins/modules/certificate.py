#!/usr/bin/python
# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a host's certificate signed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate
short_description: Have a host's certificate signed by minicloud's own authority
version_added: 0.1.0
author:
  - The minicloud authors (@minicloud)
description:
  - Sends a certificate signing request to the service and returns the certificate, with which libvirt on the host
    proves who it is. The host's private key never leaves the host.
  - Signing needs an administrator's token.
  - Each call with a O(csr) signs anew. Call it only when the host has no certificate or it is about to run out.
  - Without a O(csr) nothing is signed, and only the authority's own certificate is returned. Any token will do.
options:
  host:
    description:
      - The host's name, as it is registered or will be. Needed with O(csr).
    type: str
  csr:
    description:
      - The signing request, PEM.
    type: str
extends_documentation_fragment:
  - minicloud.libvirt.api
attributes:
  check_mode:
    support: full
    description: In check mode nothing is signed, and RV(certificate) is empty.
  diff_mode:
    support: none
    description: A certificate is always new.
seealso:
  - module: minicloud.libvirt.host
"""

EXAMPLES = r"""
- name: Read the signing request that the host made
  ansible.builtin.slurp:
    src: /etc/pki/libvirt/server.csr
  register: request

- name: Have it signed
  minicloud.libvirt.certificate:
    host: "{{ inventory_hostname }}"
    csr: "{{ request.content | b64decode }}"
  delegate_to: localhost
  register: signed

- name: Install the certificate
  ansible.builtin.copy:
    content: "{{ signed.certificate }}"
    dest: /etc/pki/libvirt/servercert.pem
    mode: "0644"
"""

RETURN = r"""
certificate:
  description: The certificate, PEM. Empty when none was signed.
  returned: success
  type: str
ca:
  description: The authority's own certificate, PEM.
  returned: success
  type: str
error:
  description: What went wrong, with C(code), C(message) and perhaps C(hint) and C(errors).
  returned: failure
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.minicloud.libvirt.plugins.module_utils.api import API_ARGUMENTS, ApiClient, failure_of
from ansible_collections.minicloud.libvirt.plugins.module_utils.model.errors import InputError, MinicloudError, Problem

ARGUMENTS: dict[str, dict[str, Any]] = {
    "host": {"type": "str"},
    "csr": {"type": "str"},
    **API_ARGUMENTS,
}


def authority(client: ApiClient) -> dict[str, Any]:
    """The authority's own certificate, with nothing signed."""
    return {"changed": False, "certificate": "", "ca": client.get("/v1/certificates").body["ca"]}


def sign(client: ApiClient, host: str, csr: str, *, dry_run: bool) -> dict[str, Any]:
    """The signed certificate and its authority.

    :raises InputError: when ``csr`` is no PEM at all, before anybody is asked.
    """
    if "-----BEGIN CERTIFICATE REQUEST-----" not in csr:
        raise InputError([Problem("csr", "not a certificate signing request", "PEM, as `openssl req -new` writes it")])
    if dry_run:
        return {**authority(client), "changed": True}
    answer = client.post("/v1/certificates", {"host": host, "csr": csr}).body
    return {"changed": True, "certificate": answer["certificate"], "ca": answer["ca"]}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True, required_by={"csr": ("host",)})
    host, csr = module.params["host"], module.params["csr"]
    try:
        client = ApiClient.from_options(module.params)
        result = authority(client) if csr is None else sign(client, host, csr, dry_run=module.check_mode)
    except MinicloudError as error:
        module.fail_json(**failure_of(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
