"""A real, privileged libvirtd that shares nothing with this machine's own.

It lives in mount, network, process, host-name and IPC namespaces of its own, with empty directories in place of
libvirt's, and answers on a socket in a directory of the test's. When its first process ends, the kernel ends the rest:
log daemon, guests and all.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

# Runs inside the namespaces. /dev is rebuilt without /dev/kvm: where nested virtualization is broken the device is
# there all the same, and a test must not depend on the machine it runs on.
_INNER = """
set -eu
mount --make-rprivate /
for directory in /run /var/lib/libvirt /etc/libvirt /var/log/libvirt /var/cache/libvirt /var/lib/minicloud; do
  mkdir -p "$directory"
  mount -t tmpfs tmpfs "$directory"
done
mkdir -p /etc/libvirt/qemu /var/lib/libvirt/images /run/libvirt
ln -s "$1/libvirt-sock" /run/libvirt/libvirt-sock
mkdir "$1/dev"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs /dev
for node in null zero full random urandom tty ptmx net/tun; do
  mkdir -p "/dev/$(dirname $node)"
  touch "/dev/$node"
  mount --bind "$1/dev/$node" "/dev/$node"
done
mkdir /dev/pts /dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /dev/pts
mount --bind /dev/pts/ptmx /dev/ptmx
mount -t tmpfs tmpfs /dev/shm
if [ "$3" = huge-pages ]; then
  mkdir /dev/hugepages
  mount -t hugetlbfs hugetlbfs /dev/hugepages
fi
umount -l "$1/dev"
hostname "$2"
ip link set lo up
ip link add lab0 type bridge
ip link set lab0 up
cp "$1/qemu.conf" /etc/libvirt/qemu.conf
virtlogd --daemon
libvirtd --config "$1/libvirtd.conf" &
# Process 1 has to be one that reaps orphans: libvirt waits for the QEMUs that it probes to vanish.
wait
"""

_QEMU = """
user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
"""


@dataclass
class PrivateLibvirtd:
    """One libvirtd. ``folder`` holds its socket, its log and whatever a test wants its guests to see.

    :param huge_pages: whether its guests may have the huge pages that this machine has set aside.
    """

    folder: Path
    name: str
    huge_pages: bool = False
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    _process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"qemu+unix:///system?socket={self.folder}/libvirt-sock"

    @property
    def pid(self) -> int:
        """Of process 1 of its namespaces."""
        assert self._process is not None, "it has been started"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0])

    def start(self) -> None:
        """Start it and wait until it answers."""
        _require("unshare", "libvirtd", "virtlogd", "qemu-system-x86_64", "virsh", "ip")
        self.folder.mkdir(parents=True)
        (self.folder / "qemu.conf").write_text(_QEMU)
        (self.folder / "libvirtd.conf").write_text(
            f'unix_sock_dir = "{self.folder}"\nhost_uuid = "{self.uuid}"\n'
            'auth_unix_rw = "none"\nauth_unix_ro = "none"\nlog_outputs = "2:stderr"\n'
        )
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--mount-proc"),
                    *("--fork", "--kill-child=SIGKILL"),
                    *("sh", "-c", _INNER, "private-libvirtd", str(self.folder), self.name),
                    "huge-pages" if self.huge_pages else "",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._await_answer()

    def stop(self) -> None:
        """End it and everything that it started."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=10)

    def virsh(self, *arguments: str) -> str:
        """What virsh prints; raises when it fails."""
        command = ["virsh", "--quiet", "--connect", self.uri, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    def add_pool(self, name: str, path: Path) -> None:
        """A directory pool, active."""
        path.mkdir(parents=True)
        self.virsh("pool-create-as", name, "dir", "--target", str(path))

    def add_network(self, name: str) -> None:
        """A network on the bridge that leads nowhere, active."""
        xml = self.folder / f"{name}.xml"
        xml.write_text(f"<network><name>{name}</name><forward mode='bridge'/><bridge name='lab0'/></network>")
        self.virsh("net-create", str(xml))

    def inside(self, *command: str) -> list[str]:
        """A command line that runs in its namespaces."""
        return ["nsenter", "--target", str(self.pid), "--mount", "--net", "--uts", "--ipc", "--pid", "--", *command]

    def _await_answer(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            if (self.folder / "libvirt-sock").exists():
                try:
                    self.virsh("version")
                except subprocess.CalledProcessError:
                    pass
                else:
                    return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"libvirtd did not come up:\n{(self.folder / 'log').read_text()}")


def _require(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        raise RuntimeError(
            f"needs root and the programs {', '.join(programs)}; missing: {', '.join(missing) or 'root'}"
        )
