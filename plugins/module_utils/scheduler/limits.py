# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How far a host may be filled where the host itself does not say."""

from __future__ import annotations

from dataclasses import dataclass

from .snapshot import HostView


@dataclass(frozen=True)
class Limits:
    """A policy's figures.

    :param cpu_overcommit: virtual CPUs for each hardware thread.
    :param ram_reserved_mib: memory that a host keeps for itself, in MiB.
    :param load_fresh_seconds: age up to which a measured load is believed.
    """

    cpu_overcommit: float = 4.0
    ram_reserved_mib: int = 256
    load_fresh_seconds: float = 120.0

    def overcommit_of(self, host: HostView) -> float:
        return self.cpu_overcommit if host.cpu_overcommit is None else host.cpu_overcommit

    def cpu_of(self, host: HostView) -> int:
        """Virtual CPUs that a host may promise in all."""
        return int(host.cpu * self.overcommit_of(host))

    def reserved_of(self, host: HostView) -> int:
        return self.ram_reserved_mib if host.ram_reserved_mib is None else host.ram_reserved_mib

    def ram_of(self, host: HostView) -> int:
        """MiB that a host may promise in all."""
        return max(0, host.ram_mib - self.reserved_of(host))
