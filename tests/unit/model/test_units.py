"""Sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.model.errors import InputError
from minicloud_core.model.units import MIB, format_mib, parse_bytes, parse_mib


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("4G", 4096),
        ("4g", 4096),
        ("4GiB", 4096),
        ("4 GB", 4096),
        ("1.5G", 1536),
        (512, 512),
        ("512", 512),
        ("2T", 2097152),
    ],
)
def test_memory_is_read(text: str | int, mib: int) -> None:
    assert parse_mib(text, field="ram") == mib


@pytest.mark.parametrize("text", ["", "G", "-4G", "4X", "4G4", None, True, [], -1, float("inf"), float("nan"), "1e3"])
def test_what_is_no_size_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(InputError) as caught:
        parse_bytes(text, field="ram")  # type: ignore[arg-type]
    assert caught.value.problems[0].field == "ram"
    assert "4G" in caught.value.problems[0].allowed


def test_a_fraction_of_a_mib_is_refused() -> None:
    with pytest.raises(InputError, match="whole number of MiB"):
        parse_mib("1K", field="ram")


@given(st.integers(1, 2**24))
def test_what_is_written_reads_back(mib: int) -> None:
    assert parse_mib(format_mib(mib), field="ram") == mib
    assert parse_bytes(mib, field="ram", unit=MIB) == mib * MIB
