import string
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.artifacts.reference import Reference, check_names, is_version, looks_like_reference, parse
from lit_infer.errors import UsageError

FIRST = string.ascii_letters + string.digits + "_"
names = st.builds(str.__add__, st.sampled_from(FIRST), st.text(alphabet=FIRST + ".-", max_size=127))
references = st.builds(Reference, names, names, names, names)


@pytest.fixture(autouse=True)
def no_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "no-config"))
    for name in ("WANDB_ENTITY", "WANDB_PROJECT", "WANDB_ORGANIZATION", "WANDB_APP_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_ENTITY", "acme")
    monkeypatch.setenv("WANDB_PROJECT", "digits")


@given(references)
def test_a_reference_is_read_back_as_it_was_written(reference: Reference) -> None:
    assert parse(str(reference)) == reference
    assert looks_like_reference(str(reference))


@given(references)
def test_without_an_alias_the_latest_is_meant(reference: Reference) -> None:
    assert parse(reference.collection) == reference.at("latest")


@given(references, names)
def test_the_address_of_its_page_means_the_same(reference: Reference, kind: str) -> None:
    page = f"https://wandb.ai/{reference.entity}/{reference.project}/artifacts/{kind}/{reference.name}"

    for text in (f"{page}/{reference.alias}", f"{page}/{reference.alias}/files?workspace=user#x"):
        assert parse(text) == reference
        assert looks_like_reference(text)
    assert parse(page) == reference.at("latest")


@given(references, names)
def test_the_address_of_a_registrys_page_means_what_is_selected_on_it(reference: Reference, org: str) -> None:
    selected = quote(reference.collection, safe="")
    page = f"https://wandb.ai/orgs/{org}/registry/model?selectionPath={selected}&view=membership"

    assert parse(f"{page}&version={reference.alias}") == reference
    assert parse(page) == reference.at("latest")
    assert looks_like_reference(page)


@given(st.text() | st.text().map("https://wandb.ai/".__add__))
def test_any_text_is_a_reference_or_is_explained(text: str) -> None:
    looks_like_reference(text)
    with suppress(UsageError):
        check_names(parse(text))


@pytest.mark.usefixtures("defaults")
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("cnn:best", "acme/digits/cnn:best"),
        ("cnn", "acme/digits/cnn:latest"),
        ("other/cnn:v3", "acme/other/cnn:v3"),
        ("local/other/cnn:v3", "local/other/cnn:v3"),
    ],
)
def test_short_forms_are_completed_from_wandbs_variables(text: str, meant: str) -> None:
    assert str(parse(text)) == meant


def test_what_is_missing_for_a_short_form_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        UsageError, match="'cnn:best' does not say which project: set WANDB_PROJECT, or write it out as "
    ):
        parse("cnn:best")
    monkeypatch.setenv("WANDB_PROJECT", "digits")
    with pytest.raises(UsageError, match="'cnn:best' does not say which entity: set WANDB_ENTITY"):
        parse("cnn:best")


def test_a_malformed_default_is_explained_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_ENTITY", "../..")

    with pytest.raises(UsageError, match=r"the entity '\.\./\.\.' may hold"):
        parse("digits/cnn:best")


@pytest.mark.usefixtures("defaults")
def test_a_registry_belongs_to_an_organization_and_not_to_a_team(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="does not say which entity: set WANDB_ORGANIZATION"):
        parse("wandb-registry-model/cnn:production")
    monkeypatch.setenv("WANDB_ORGANIZATION", "acme-org")

    assert str(parse("wandb-registry-model/cnn:production")) == "acme-org/wandb-registry-model/cnn:production"
    assert str(parse("other/wandb-registry-model/cnn:v1")) == "other/wandb-registry-model/cnn:v1"


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        ("a/b/c/d:best", "has 4 parts, not 3"),
        ("a/b/c:", "the alias after the colon is empty"),
        ("a/b/:best", "the name '' may hold"),
        ("/b/c", "the entity '' may hold"),
        ("a/b c/d:best", "the project 'b c' may hold"),
        ("a/b/c:be st", "the alias 'be st' may hold"),
        ("a/b/c:x:y", "the alias 'x:y' may hold"),
        ("a/b/c\n", r"the name 'c\n' may hold"),
        (f"a/b/{'c' * 129}", "at most 128 characters"),
        ("https://wandb.ai/acme/digits/runs/abc", "is not the page of an artifact"),
        ("https://wandb.ai/acme/digits/artifacts/model", "is not the page of an artifact"),
        ("https://wandb.ai/orgs/acme/registry/model", "is not the page of an artifact"),
        ("https://wandb.ai/orgs/acme/registry/model?selectionPath=a%2Fb", "its selectionPath should name"),
        ("https://wandb.ai/acme/a%2Fb/artifacts/model/cnn/v0", "the project 'a/b' may hold"),
        (
            "https://example.com/acme/digits/artifacts/model/cnn/v0",
            "not on the W&B server in use, https://api.wandb.ai",
        ),
        ("s3://bucket/model.ckpt", "is neither entity/project/name:alias"),
        ("https://[wandb.ai/a", "is not a URL"),
    ],
)
def test_a_malformed_reference_is_explained_with_the_part_at_fault(text: str, explanation: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert explanation in str(caught.value)


@pytest.mark.parametrize(
    ("server", "page"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://wandb.corp.example", "https://wandb.corp.example"),
        ("https://api.corp.example", "https://app.corp.example"),
        ("https://api.wandb.ai", "https://wandb.ai"),
    ],
)
def test_pages_of_the_server_in_use_are_references(server: str, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server)

    assert str(parse(f"{page}/acme/digits/artifacts/model/cnn/best")) == "acme/digits/cnn:best"
    assert looks_like_reference(f"{page}/acme/digits/artifacts/model/cnn/best")


def test_a_page_of_another_server_than_the_one_in_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.corp.example")
    page = "https://wandb.ai/acme/digits/artifacts/model/cnn/best"

    assert looks_like_reference(page)
    with pytest.raises(UsageError, match=r"not on the W&B server in use, https://wandb\.corp\.example\."):
        parse(page)


@pytest.mark.parametrize("part", ["..", ".", ".hidden", "-rf", "a/b", "a\\b", "", "a\0b", "é"])
@pytest.mark.parametrize("place", range(4))
def test_no_part_can_leave_the_registry_or_hide_in_it(part: str, place: int) -> None:
    parts = ["entity", "project", "name", "alias"]
    parts[place] = part

    with pytest.raises(UsageError, match="may hold letters, digits"):
        check_names(Reference(*parts))


@pytest.mark.parametrize(
    "text",
    [
        *("./a/b", "/a/b", "~/a/b", "a/b", "a", "model.onnx", "a/b/c/d", "./a:b", "a\0b"),
        *("https://a/b", "s3://bucket/model.ckpt", "https://wandb.ai/acme/digits/files/model.ckpt", "https://[a"),
        *("https://example.com/acme/digits/artifacts/model/cnn/v0",),
    ],
)
def test_what_can_only_be_a_path_or_another_url_does_not_look_like_a_reference(text: str) -> None:
    assert not looks_like_reference(text)


@pytest.mark.parametrize("text", ["cnn:best", "digits/cnn:best", "a/b/c", "a/b/c:d"])
def test_a_path_that_exists_is_a_path(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert looks_like_reference(text)

    Path(text).mkdir(parents=True)

    assert not looks_like_reference(text)


@pytest.mark.parametrize("version", ["v0", "v1", "v10", "v1234567"])
def test_versions_are_v_and_a_number(version: str) -> None:
    assert is_version(version)


@pytest.mark.parametrize("alias", ["v", "v01", "V1", "v-1", "v1.0", "1", "latest", "v1\n", "v\u0661"])
def test_other_names_are_aliases(alias: str) -> None:
    assert not is_version(alias)
