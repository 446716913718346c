from pathlib import Path

import pytest

from lit_infer.artifacts.registry import Mode
from lit_infer.artifacts.wandb_mode import base_url, wandb_mode


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, and no word about W&B in the environment."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("home")
def test_without_an_account_the_mode_is_offline_and_says_what_to_do() -> None:
    assert not wandb_mode().online
    assert "wandb login" in wandb_mode().reason


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("mode", "online"), [("online", True), ("ONLINE", True), ("shared", True), ("offline", False), ("disabled", False)]
)
def test_wandb_mode_decides_before_everything_else(mode: str, online: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_MODE", mode)

    assert wandb_mode() == Mode(online, f"WANDB_MODE={mode.lower()}")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"])
def test_credentials_in_the_environment_mean_online(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "")
    monkeypatch.setenv(name, "something")

    assert wandb_mode() == Mode(True, f"{name} is set")


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_an_entry_in_the_netrc_at_home_means_online(home: Path, name: str) -> None:
    (home / name).write_text("machine api.wandb.ai login user password secret\n")

    assert wandb_mode() == Mode(True, "api.wandb.ai is in your netrc")
    assert "secret" not in wandb_mode().reason


def test_the_netrc_that_is_named_is_read_instead_of_the_one_at_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".netrc").write_text("machine api.wandb.ai login user password secret\n")
    (home / "other").write_text("machine example.org login user password secret\n")
    monkeypatch.setenv("NETRC", str(home / "other"))
    assert not wandb_mode().online

    (home / "other").write_text("machine api.wandb.ai login user password secret\n")
    assert wandb_mode().online


def test_a_netrc_named_from_home_is_found_as_wandb_finds_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "keys").write_text("machine api.wandb.ai login user password secret\n")
    monkeypatch.setenv("NETRC", "~/keys")

    assert wandb_mode().online


def test_an_account_of_another_server_counts_only_for_that_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".netrc").write_text("machine wandb.example.org:8080 login user password secret\n")
    assert not wandb_mode().online

    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org:8080")
    assert wandb_mode() == Mode(True, "wandb.example.org:8080 is in your netrc")


@pytest.mark.parametrize(
    "content",
    [b"machine api.wandb.ai login user password", b"machine", b"\xff\xfe\x00", b"machine api.wandb.ai login user", b""],
)
def test_a_netrc_without_a_usable_password_is_no_account(home: Path, content: bytes) -> None:
    (home / ".netrc").write_bytes(content)

    assert not wandb_mode().online


def test_the_server_that_wandb_login_recorded_is_the_one_in_use(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_CONFIG_DIR", raising=False)
    assert base_url() == "https://api.wandb.ai"

    (home / ".config/wandb").mkdir(parents=True)
    (home / ".config/wandb/settings").write_text("[default]\nbase_url = https://wandb.example.org/\n")
    (home / ".netrc").write_text("machine wandb.example.org login user password secret\n")
    assert base_url() == "https://wandb.example.org"
    assert wandb_mode() == Mode(True, "wandb.example.org is in your netrc")

    monkeypatch.setenv("WANDB_BASE_URL", "https://other.example.org")
    assert base_url() == "https://other.example.org"
    assert not wandb_mode().online


@pytest.mark.parametrize("content", [b"[default", b"\xff\xfe", b"[other]\nbase_url = x\n", b""])
def test_settings_that_cannot_be_read_name_no_server(home: Path, content: bytes) -> None:
    (home / ".config/wandb").mkdir(parents=True)
    (home / ".config/wandb/settings").write_bytes(content)
    assert base_url() == "https://api.wandb.ai"
