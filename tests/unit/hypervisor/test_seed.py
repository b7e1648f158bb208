"""Seeds: values are data, byte for byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.hypervisor.seed import make_seed, seed_digest, seed_files
from minicloud_core.model.errors import HypervisorError
from minicloud_core.model.order import SeedOrder

TEXTS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=200)
SEEDS = st.builds(SeedOrder, user_data=TEXTS, meta_data=TEXTS, network_config=TEXTS)


@given(SEEDS)
def test_files_are_the_texts_and_nothing_else(seed: SeedOrder) -> None:
    files = seed_files(seed)
    assert files["user-data"].decode() == seed.user_data
    assert files["meta-data"].decode() == seed.meta_data
    assert files.get("network-config", b"").decode() == seed.network_config


@given(SEEDS, SEEDS)
def test_a_digest_tells_seeds_apart(one: SeedOrder, other: SeedOrder) -> None:
    assert (seed_digest(one) == seed_digest(other)) == (one == other)


def test_what_moves_between_files_is_another_seed() -> None:
    assert seed_digest(SeedOrder("ab", "c")) != seed_digest(SeedOrder("a", "bc"))


def test_the_image_has_the_label_and_the_files(tmp_path: Path) -> None:
    path = tmp_path / "seed.iso"
    path.write_bytes(make_seed(SeedOrder("#cloud-config\r\n{{ x }}\x00\x1b", "instance-id: i\n")))
    assert "Volume id: cidata" in _isoinfo(path, "-d").decode()
    assert _isoinfo(path, "-R", "-x", "/user-data") == b"#cloud-config\r\n{{ x }}\x00\x1b"
    assert _isoinfo(path, "-R", "-x", "/meta-data") == b"instance-id: i\n"
    assert b"network-config" not in _isoinfo(path, "-R", "-f")


def test_a_host_without_a_maker_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HypervisorError) as caught:
        make_seed(SeedOrder("", ""))
    assert "genisoimage" in caught.value.hint


def test_a_maker_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    maker = tmp_path / "genisoimage"
    maker.write_text("#!/bin/sh\necho no space left >&2\nexit 1\n")
    maker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(HypervisorError, match="no space left"):
        make_seed(SeedOrder("", ""))


def _isoinfo(path: Path, *arguments: str) -> bytes:
    return subprocess.run(["isoinfo", "-i", str(path), *arguments], check=True, capture_output=True).stdout
