"""A domain says whose it is, and a damaged word counts as none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.model.metadata import NAMESPACE, DomainMetadata, read_metadata

printable = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs",)), max_size=30)


@given(printable, printable, printable, printable, st.integers(0, 2**31))
def test_metadata_survives_the_domain(vm: str, name: str, project: str, spec_hash: str, epoch: int) -> None:
    metadata = DomainMetadata(vm, name, project, spec_hash, epoch)
    inner = metadata.to_xml().replace("<vm ", f'<minicloud:vm xmlns:minicloud="{NAMESPACE}" ', 1)
    assert read_metadata(f"<domain><name>x</name><metadata>{inner}</metadata></domain>") == metadata
    assert read_metadata(metadata.to_xml()) == metadata


@pytest.mark.parametrize(
    "xml",
    [
        "<domain/>",
        "not xml",
        "<domain><metadata><other:vm xmlns:other='urn:other' id='1' spec_hash='x'/></metadata></domain>",
        f"<domain><metadata><m:vm xmlns:m='{NAMESPACE}' id='vm-1' spec_hash='x'/></metadata></domain>",
        f"<d><m:vm xmlns:m='{NAMESPACE}' id='1' name='n' project='p' spec_hash='x' epoch='soon'/></d>",
    ],
)
def test_what_is_not_ours_or_damaged_is_unmanaged(xml: str) -> None:
    assert read_metadata(xml) is None
