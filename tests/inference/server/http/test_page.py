import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest
from starlette.routing import Mount, Router

from lit_infer.server.app import create_app
from lit_infer.server.http import page_files
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings
from tests.support.server.client import Client

TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


class Tags(HTMLParser):
    """The tags of an HTML file and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def keyed(repository: Repository) -> Iterator[Client]:
    """An app that asks for a key."""
    opened = Client(create_app(repository, Settings(keys=(b"sesame",))))
    yield opened
    opened.close()


@pytest.mark.parametrize(("path", "name"), page_files.NAMES.items())
def test_a_file_comes_with_its_type_and_may_load_nothing_from_elsewhere(client: Client, path: str, name: str) -> None:
    answer = client.get(path, headers={"accept": "text/html,*/*"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == TYPES[name.rpartition(".")[2]]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_who_asks_for_no_page_hears_that_the_server_lives_as_kserve_s_v1_clients_expect(client: Client) -> None:
    answer = client.get("/", headers={"accept": "*/*"})

    assert (answer.status_code, answer.json(), answer.headers["vary"]) == (200, {"status": "alive"}, "Accept")


def test_a_browser_that_has_a_file_gets_it_no_second_time(client: Client) -> None:
    first = client.get("/page/page.js")
    second = client.get("/page/page.js", headers={"if-none-match": f"W/{first.headers['etag']}"})
    other = client.get("/page/page.css", headers={"if-none-match": first.headers["etag"]})

    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert other.status_code == 200


@pytest.mark.parametrize("path", ["/page/", "/page/index.html", "/page/none.js", "/page/..%2fpage.py", "/index.html"])
def test_nothing_else_is_served(client: Client, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.json()) == (404, {"error": "not found"})


def test_the_page_works_below_a_path(repository: Repository) -> None:
    client = Client(Router([Mount("/models", create_app(repository))]))

    assert client.get("/models/", headers={"accept": "text/html"}).text.startswith("<!doctype html>")
    assert client.get("/models/page/dom.js").headers["content-type"] == TYPES["js"]
    client.close()


def test_without_a_key_there_is_the_page_and_nothing_of_the_models(keyed: Client) -> None:
    assert {keyed.get(path).status_code for path in page_files.NAMES} == {200}
    closed = ("/metrics", "/v2/models/colours/card", "/page/none.js", "/page/../metrics")
    assert {keyed.get(path).status_code for path in closed} == {401}


def test_all_files_of_the_folder_are_served_and_named_by_their_users() -> None:
    folder = resources.files("lit_infer.server.http") / "static"
    texts = {entry.name: entry.read_text() for entry in folder.iterdir()}
    assert set(texts) == set(page_files.NAMES.values())

    imported = {name for text in texts.values() for name in re.findall(r'from "\./([^"]+)"', text)}
    linked = {attribute for tag in Tags(texts["index.html"]).found for attribute in addresses(tag[1])}
    parts = {path.removeprefix("/") for path in page_files.NAMES} - {""}
    assert {f"page/{name}" for name in imported} | linked - {"openapi.json", "metrics"} == parts


def test_the_page_has_no_script_style_or_address_of_its_own_that_the_policy_would_forbid() -> None:
    text = (resources.files("lit_infer.server.http") / "static" / "index.html").read_text()
    for tag, attributes in Tags(text).found:
        assert tag != "style"
        assert tag != "script" or attributes["src"]
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert not re.search(r"(src|href)=.?(https?:|//)", text)


def test_every_control_has_a_label_and_every_id_that_is_named_is_there() -> None:
    tags = Tags((resources.files("lit_infer.server.http") / "static" / "index.html").read_text()).found
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    named = {
        attributes[name]
        for _, attributes in tags
        for name in ("for", "aria-labelledby", "aria-describedby")
        if name in attributes
    }

    assert len(ids) == len(set(ids))
    assert named <= set(ids)
    inputs = [tag for tag, _ in tags if tag in ("input", "select", "textarea")]
    assert len(inputs) == sum(tag == "label" for tag, _ in tags) == 6


def addresses(attributes: dict[str, Any]) -> list[str]:
    """What a tag links to, less what it holds itself."""
    found = (attributes.get("src") or attributes.get("href") or "",)
    return [address for address in found if address and not address.startswith("data:")]
