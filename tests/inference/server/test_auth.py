from pathlib import Path

import pytest

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.server import auth
from lit_infer.server.app import create_app
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings
from tests.support.server.client import Client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer two"}, 200),
        ({"Authorization": "bearer  one"}, 200),
        ({"X-API-Key": "one"}, 200),
        ({"Authorization": "Bearer three"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Basic one"}, 401),
        ({"Authorization": "one"}, 401),
        ({"X-API-Key": "on"}, 401),
        ({"X-API-Key": ""}, 401),
    ],
)
def test_only_a_key_opens_the_server(repository: Repository, headers: dict[str, str], status: int) -> None:
    client = Client(create_app(repository, Settings(keys=(b"one", b"two"))))

    for path in ("/v2", "/metrics", "/openapi.json", "/v2/models/colours"):
        assert client.get(path, headers=headers).status_code == status
    refused = client.post("/predict", content=b"x", headers=headers)
    assert (refused.status_code == 401) == (status == 401)
    assert ("www-authenticate" in refused.headers) == (status == 401)
    client.close()


def test_probes_need_no_key(repository: Repository) -> None:
    client = Client(create_app(repository, Settings(keys=(b"one",))))

    assert client.get("/v2/health/live").status_code == client.get("/v2/health/ready").status_code == 200
    client.close()


def test_keys_are_read_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").write_text("# ours\none\n\n two \n")

    assert auth.read_keys(tmp_path / "keys") == (b"one", b"two")
    monkeypatch.delenv("LIT_API_KEY", raising=False)
    assert auth.read_keys(None) == ()
    monkeypatch.setenv("LIT_API_KEY", "three")
    assert auth.read_keys(None) == (b"three",)


def test_a_key_file_that_would_open_the_server_to_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# none yet\n\n")

    with pytest.raises(UsageError, match="holds no key"):
        auth.read_keys(tmp_path / "keys")
    with pytest.raises(NotFoundError, match="no key file at"):
        auth.read_keys(tmp_path / "none")
    with pytest.raises(UsageError, match="Is a directory"):
        auth.read_keys(tmp_path)
