"""What virConnectGetCapabilities tells of a host, as libvirt writes it."""

from __future__ import annotations

from minicloud.observer.capabilities import read_machines, read_numa
from minicloud.services.view.observation import NumaObservation

TWO_NODES = """
<capabilities>
  <host>
    <uuid>cd7c383d-fe25-4d65-ac67-7ccd5a356b75</uuid>
    <cpu><arch>x86_64</arch></cpu>
    <topology><cells num='2'>
      <cell id='8'>
        <memory unit='KiB'>4194304</memory>
        <pages unit='KiB' size='4'>1048576</pages><pages unit='KiB' size='2048'>0</pages>
        <cpus num='2'><cpu id='2' socket_id='1'/><cpu id='3' socket_id='1'/></cpus>
      </cell>
      <cell id='0'>
        <memory unit='KiB'>8389632</memory>
        <pages unit='KiB' size='4'>1570816</pages>
        <pages unit='KiB' size='2048'>512</pages>
        <pages unit='KiB' size='1048576'>1</pages>
        <distances><sibling id='0' value='10'/></distances>
        <cpus num='2'><cpu id='0' socket_id='0'/><cpu id='1' socket_id='0'/></cpus>
      </cell>
    </cells></topology>
  </host>
  <guest><os_type>hvm</os_type><arch name='i686'>
    <machine maxCpus='255'>isapc</machine><domain type='qemu'/></arch></guest>
  <guest><os_type>hvm</os_type><arch name='x86_64'>
    <machine maxCpus='288' deprecated='yes'>pc-q35-3.1</machine>
    <machine canonical='pc-q35-7.2' maxCpus='288'>q35</machine>
    <domain type='qemu'/><domain type='kvm'><machine maxCpus='288'>q35</machine><machine>microvm</machine></domain>
  </arch></guest>
</capabilities>
"""


def test_nodes_come_by_number_with_huge_pages_of_the_size_that_guests_get() -> None:
    assert read_numa(TWO_NODES) == (NumaObservation(0, 2, 8193, 1024), NumaObservation(8, 2, 4096, 0))


def test_a_host_that_tells_of_no_nodes_has_none() -> None:
    assert read_numa("<capabilities><host/></capabilities>") == ()


def test_machine_types_are_those_of_the_architecture() -> None:
    assert read_machines(TWO_NODES, "x86_64") == ("microvm", "pc-q35-3.1", "q35")
    assert read_machines(TWO_NODES, "i686") == ("isapc",)
    assert read_machines(TWO_NODES, "aarch64") == ()
