"""What a run's Ansible is told: its environment and its configuration, nothing inherited by chance."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .process_tree import RUN_VARIABLE

# Of the service's environment a run gets only what programs need to work at all.
_INHERITED = ("HOME", "USER", "LOGNAME", "TZ", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR")
_LARGEST_RESULT = 16 * 1024 * 1024
_CONNECT_TIMEOUT = 5
_PERSIST = 60


def control_path_dir(state_dir: Path) -> Path:
    """Where this service's shared SSH connections have their sockets.

    A socket's path holds about a hundred bytes, which a state directory may exceed: so it is not inside.
    """
    digest = hashlib.sha256(str(state_dir).encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"minicloud-{os.getuid()}-{digest}"


def make_control_path_dir(path: Path) -> None:
    """Make the directory of the sockets, or check that it is ours: others may write beside it.

    :raises PermissionError: when somebody else made it, or could write to it.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if path.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{path} must be a directory of mode 0700 that belongs to user {os.getuid()}: remove it")


def environment(run: str, directory: Path, *, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a run's process.

    :param run: the run's name; marks every process of it.
    :param directory: the run's private directory.
    :param inherited: what it may take over from; None for this process's own.
    """
    binaries = Path(sys.executable).parent
    inherited = os.environ if inherited is None else inherited
    return {
        **{name: inherited[name] for name in _INHERITED if name in inherited},
        "PATH": f"{binaries}:{inherited.get('PATH', '/usr/bin:/bin')}",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(directory / "tmp"),
        RUN_VARIABLE: run,
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_HOME": str(directory / "tmp"),
        "ANSIBLE_HOST_KEY_CHECKING": "True",  # ansible-runner would turn it off
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "MAX_EVENT_RES": str(_LARGEST_RESULT),  # a larger result would arrive empty
    }


def configuration(*, collections: Path, control_path: Path, known_hosts: Path) -> str:
    """The ``ansible.cfg`` of a run.

    A host's key is accepted the first time and held to from then on.
    """
    ssh_arguments = (
        f"-o ControlMaster=auto -o ControlPersist={_PERSIST}s -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
        f" -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={known_hosts}"
        " -o PreferredAuthentications=publickey -o BatchMode=yes -o LogLevel=ERROR"
    )
    return f"""[defaults]
collections_path = {collections}
interpreter_python = /usr/bin/python3
gathering = explicit
fact_caching = memory
retry_files_enabled = False
localhost_warning = False
inventory_unparsed_warning = False
timeout = {_CONNECT_TIMEOUT}
[inventory]
enable_plugins = ansible.builtin.yaml
[ssh_connection]
pipelining = True
control_path_dir = {control_path}
ssh_args = {ssh_arguments}
retries = 1
"""


def collections_path(prefix: Path | None = None) -> Path:
    """Where the collection is installed: beside the interpreter that runs the service."""
    return (prefix or Path(sys.prefix)) / "collections"
