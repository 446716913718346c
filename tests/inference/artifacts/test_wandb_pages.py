"""Addresses of W&B pages, copied from a browser. With whole references: test_reference."""

import pytest

from lit_infer.artifacts.wandb_pages import is_page, read_page, variable
from lit_infer.errors import UsageError


@pytest.mark.parametrize(
    ("page", "reference"),
    [
        ("https://wandb.ai/team/proj/artifacts/model/net/v3", "team/proj/net:v3"),
        ("https://wandb.ai/team/proj/artifacts/model/net/v3/files?x=1#y", "team/proj/net:v3"),
        ("https://wandb.ai/team/proj/artifacts/model/net", "team/proj/net:latest"),
        (
            "https://wandb.ai/orgs/o/registry/model?selectionPath=o%2Fwandb-registry-model%2Fnet&view=x&version=v2",
            "o/wandb-registry-model/net:v2",
        ),
    ],
)
def test_a_page_of_a_version_is_its_reference(page: str, reference: str) -> None:
    assert is_page(page)
    assert str(read_page(page)) == reference


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("https://example.com/team/proj/artifacts/model/net/v3", "is not on the W&B server in use"),
        ("https://wandb.ai/team/proj/runs/abc", "is not the page of an artifact"),
        ("https://wandb.ai/orgs/o/registry?selectionPath=net", "its selectionPath should name entity/project/name"),
        ("ftp://wandb.ai/a", "nor the http"),
        ("https://[", "is not a URL"),
    ],
)
def test_another_address_is_explained(page: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_page(page)


@pytest.mark.parametrize(
    "text", ["https://example.com/model.ckpt", "https://wandb.ai/team/proj", "team/proj/net", "https://["]
)
def test_what_is_no_page_of_an_artifact_may_be_something_else(text: str) -> None:
    assert not is_page(text)


def test_a_server_of_ones_own_shows_its_pages_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "https://api.box.example")
    page = "https://app.box.example/team/proj/artifacts/model/net/v1"

    assert str(read_page(page)) == "team/proj/net:v1"
    monkeypatch.setenv("WANDB_BASE_URL", "https://box.example")
    with pytest.raises(UsageError, match="is not on the W&B server in use"):
        read_page(page)
    monkeypatch.setenv("WANDB_APP_URL", "https://app.box.example")
    assert str(read_page(page)) == "team/proj/net:v1"


@pytest.mark.parametrize(
    ("part", "project", "name"),
    [
        ("entity", "proj", "WANDB_ENTITY"),
        ("project", "proj", "WANDB_PROJECT"),
        ("entity", "wandb-registry-model", "WANDB_ORGANIZATION"),
    ],
)
def test_a_registry_belongs_to_an_organization(part: str, project: str, name: str) -> None:
    assert variable(part, project) == name
