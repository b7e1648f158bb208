"""What the service may be told: by flags, by ``MINICLOUD_*`` in the environment, else by these defaults."""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

DEFAULT_LISTEN = "127.0.0.1:8080"


def spare_cores() -> int:
    """The cores that this process may use, but one, which the service needs for itself; 1 to 8."""
    return min(max(1, len(os.sched_getaffinity(0)) - 1), 8)


class Settings(BaseSettings):
    """Settings of one service process. Durations are seconds."""

    model_config = SettingsConfigDict(env_prefix="MINICLOUD_", extra="ignore", frozen=True)

    state_dir: Path = Field(Path(".minicloud"), description="Where keys, images, runs and the SQLite database live.")
    database: str = Field("", description="SQLAlchemy URL; empty means SQLite in the state directory.")
    listen: Annotated[tuple[str, ...], NoDecode] = Field(
        (DEFAULT_LISTEN,),
        min_length=1,
        description="Addresses to listen on, host:port, separated by commas in text; port 0 is any free one.",
    )
    advertise_url: str = Field("", description="How hosts reach this service; empty means the best listen address.")
    policy: str = Field("balanced", description="The scheduler's policy: a name, or a file such as night.yml.")
    playbooks: Path | None = Field(None, description="The playbooks' folder; none means the checkout's.")
    run_slots: int = Field(
        default_factory=spare_cores, ge=1, le=64, description="Playbook runs at once; one fewer than cores by itself."
    )
    lease_seconds: float = Field(30, ge=2, le=3600, description="How long a claim holds without being renewed.")
    observe_interval: float = Field(5, gt=0, le=300, description="Between two readings of a host's statistics.")
    reconcile_interval: float = Field(5, gt=0, le=300, description="Between two passes of the reconciler.")
    suspect_after: float = Field(15, gt=0, le=3600, description="Silence of a host before it is suspected.")
    confirm_after: float = Field(15, gt=0, le=3600, description="Suspicion before a host is fenced.")
    stop_grace: float = Field(10, ge=0, le=300, description="How long a stop waits for runs under way.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @field_validator("state_dir")
    @classmethod
    def _anchor(cls, value: Path) -> Path:
        return value.absolute()

    @field_validator("listen", mode="before")
    @classmethod
    def _split_listen(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("listen")
    @classmethod
    def _check_listen(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            split_address(address)
        return value

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.state_dir / 'minicloud.db'}"

    @property
    def pki_dir(self) -> Path:
        return self.state_dir / "pki"

    @property
    def images_dir(self) -> Path:
        return self.state_dir / "images"

    @property
    def runs_dir(self) -> Path:
        return self.state_dir / "runs"

    @property
    def ssh_dir(self) -> Path:
        return self.state_dir / "ssh"

    @property
    def pid_file(self) -> Path:
        return self.state_dir / "serve.pid"

    @property
    def playbooks_dir(self) -> Path:
        return self.playbooks or Path(__file__).resolve().parents[2] / "playbooks"

    def listening_on(self, ports: Sequence[int]) -> Settings:
        """These settings with the ports that were had, in the order of ``listen``: port 0 asks for any."""
        hosts = (address.rpartition(":")[0] for address in self.listen)
        return self.model_copy(
            update={"listen": tuple(f"{host}:{port}" for host, port in zip(hosts, ports, strict=True))}
        )

    @property
    def base_url(self) -> str:
        """The address that goes into signed URLs, without a slash at the end."""
        return (self.advertise_url or f"http://{_reachable(self.listen)}").rstrip("/")


def split_address(address: str) -> tuple[str, int]:
    """Read ``host:port`` or ``[v6]:port``.

    :raises ValueError: saying what would be right.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is not an address to listen on: host:port is, such as {DEFAULT_LISTEN}")
    return host.strip("[]"), int(port)


def _reachable(listen: tuple[str, ...]) -> str:
    """The first address that another machine can reach; hosts fetch images from it."""
    return next((address for address in listen if not _local(split_address(address)[0])), listen[0])


def _local(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified
