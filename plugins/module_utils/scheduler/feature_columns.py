# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What hosts are and have, and keep: their labels, processors, networks, images. Columns are made when first read."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property

from .host import HostView
from .kinds import Kinds

Names = frozenset[str]


class FeatureColumns:
    """One :class:`.kinds.Kinds` for each thing that a request may ask of a host."""

    def __init__(self, hosts: Sequence[HostView]) -> None:
        self._hosts = hosts

    @cached_property
    def labels(self) -> Kinds[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
        return Kinds((frozenset(host.labels.items()) for host in self._hosts), _has_all)

    @cached_property
    def architectures(self) -> Kinds[str | None, str]:
        return Kinds((host.architecture for host in self._hosts), _is)

    @cached_property
    def machines(self) -> Kinds[Names, str]:
        return Kinds((host.machines for host in self._hosts), _has)

    @cached_property
    def cpu_features(self) -> Kinds[Names, Names]:
        return Kinds((host.cpu_features for host in self._hosts), _has_all)

    @cached_property
    def networks(self) -> Kinds[Names | None, Names]:
        return Kinds((host.networks for host in self._hosts), _has_all_as_far_as_known)

    @cached_property
    def images(self) -> Kinds[Names, str]:
        """By the images that lie there."""
        return Kinds((host.images for host in self._hosts), _has)

    @cached_property
    def reachable_images(self) -> Kinds[Names | None, str]:
        """By the images that it has or can fetch."""
        return Kinds(
            (None if host.reachable_images is None else host.reachable_images | host.images for host in self._hosts),
            _has_as_far_as_known,
        )

    @cached_property
    def reachable_volumes(self) -> Kinds[Names | None, Names]:
        return Kinds((host.reachable_volumes for host in self._hosts), _has_all_as_far_as_known)

    @cached_property
    def dedicated(self) -> Kinds[Names, str]:
        return Kinds((host.dedicated for host in self._hosts), _open_to)


def _is(thing: str | None, wanted: str) -> bool:
    return thing == wanted


def _has(things: Names, wanted: str) -> bool:
    return wanted in things


def _has_all(things: frozenset[Hashable], wanted: frozenset[Hashable]) -> bool:
    return wanted <= things


def _has_as_far_as_known(things: Names | None, wanted: str) -> bool:
    return things is None or wanted in things


def _has_all_as_far_as_known(things: Names | None, wanted: Names) -> bool:
    return things is None or wanted <= things


def _open_to(projects: Names, project: str) -> bool:
    return not projects or project in projects
