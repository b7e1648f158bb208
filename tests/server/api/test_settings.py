"""What the service may be told, and by whom first."""

from __future__ import annotations

from pathlib import Path

import pytest
from minicloud.settings import DEFAULT_LISTEN, Settings, split_address
from pydantic import ValidationError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's own environment."""
    for name in ("STATE_DIR", "DATABASE", "LISTEN", "ADVERTISE_URL", "RUN_SLOTS", "LOG_LEVEL", "PLAYBOOKS"):
        monkeypatch.delenv(f"MINICLOUD_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_nothing_needs_to_be_said(tmp_path: Path) -> None:
    settings = Settings()
    assert settings.state_dir == tmp_path / ".minicloud"
    assert settings.listen == (DEFAULT_LISTEN,)
    assert settings.database_url == f"sqlite:///{tmp_path}/.minicloud/minicloud.db"
    assert (settings.playbooks_dir / "create_vm.yml").is_file()


def test_the_environment_is_heard_and_flags_are_heard_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINICLOUD_RUN_SLOTS", "3")
    monkeypatch.setenv("MINICLOUD_LISTEN", "127.0.0.1:1, 10.77.0.1:2")
    monkeypatch.setenv("MINICLOUD_DATABASE", "postgresql+psycopg://x/y")
    assert Settings().run_slots == 3
    assert Settings().listen == ("127.0.0.1:1", "10.77.0.1:2")
    assert Settings().database_url == "postgresql+psycopg://x/y"
    assert Settings(run_slots=5).run_slots == 5


@pytest.mark.parametrize(
    ("listen", "advertised", "url"),
    [
        ("127.0.0.1:8080", "", "http://127.0.0.1:8080"),
        ("127.0.0.1:8080,10.77.0.1:8080", "", "http://10.77.0.1:8080"),
        ("0.0.0.0:8080,10.77.0.1:9090", "", "http://10.77.0.1:9090"),
        ("localhost:8080,[fd00::1]:8080", "", "http://[fd00::1]:8080"),
        ("127.0.0.1:8080", "https://cloud.example/", "https://cloud.example"),
    ],
)
def test_hosts_are_told_an_address_that_they_can_reach(listen: str, advertised: str, url: str) -> None:
    assert Settings.model_validate({"listen": listen, "advertise_url": advertised}).base_url == url


@pytest.mark.parametrize("address", ["8080", "127.0.0.1", ":8080", "host:port", "host:99999", "host:-1"])
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(ValidationError, match="host:port is, such as"):
        Settings.model_validate({"listen": address})


def test_an_address_is_read_whole() -> None:
    assert split_address("[::1]:80") == ("::1", 80)
    assert split_address("cloud.example:8080") == ("cloud.example", 8080)


@pytest.mark.parametrize(("name", "value"), [("run_slots", 0), ("lease_seconds", 0), ("log_level", "loud")])
def test_what_makes_no_sense_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})


def test_a_port_that_was_had_takes_the_place_of_any() -> None:
    settings = Settings(listen=("127.0.0.1:0", "[::1]:0", "10.77.0.1:80")).listening_on([41000, 41001, 80])
    assert settings.listen == ("127.0.0.1:41000", "[::1]:41001", "10.77.0.1:80")
    assert settings.base_url == "http://10.77.0.1:80"
