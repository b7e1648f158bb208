"""What a host's libvirt says of its processors, read for the scheduler."""

from __future__ import annotations

import pytest
from minicloud.observer.processor import features_of, host_model

CAPABILITIES = """
<domainCapabilities><domain>kvm</domain><cpu>
  <mode name='host-passthrough' supported='yes'/>
  <mode name='host-model' supported='{supported}'>
    <model fallback='forbid'>EPYC</model><vendor>AMD</vendor>
    <feature policy='require' name='erms'/><feature policy='disable' name='rdseed'/>
  </mode>
</cpu></domainCapabilities>
"""


def test_the_model_of_guests_is_found() -> None:
    model = host_model(CAPABILITIES.format(supported="yes"))
    assert model is not None
    assert model.startswith("<cpu>")
    assert "EPYC" in model
    assert features_of(model) == ("erms",)


@pytest.mark.parametrize("capabilities", [CAPABILITIES.format(supported="no"), "<domainCapabilities/>"])
def test_a_host_without_one_has_none(capabilities: str) -> None:
    assert host_model(capabilities) is None


def test_only_what_a_guest_has_is_a_feature() -> None:
    cpu = "<cpu><model>X</model><feature policy='require' name='b'/><feature policy='disable' name='a'/></cpu>"
    assert features_of(cpu) == ("b",)
