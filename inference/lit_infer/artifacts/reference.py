"""A reference names a version of an artifact: `entity/project/name:alias`.

The last part is an alias (`best`, `production`), a version (`v3`) or `latest`, and may be left out: `latest`.
Also read: `project/name:alias` and `name:alias`, completed from WANDB_ENTITY and WANDB_PROJECT; collections of a W&B
registry, `wandb-registry-<registry>/collection:alias`; and the address of an artifact's page as the browser shows it.
"""

import os
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from lit_infer.artifacts.mode import base_url
from lit_infer.errors import UsageError

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_VERSION = re.compile(r"v(0|[1-9][0-9]*)")

_REGISTRY = "wandb-registry-"  # how W&B begins the name of a registry's project
_FORM = "entity/project/name:alias, for instance local/digits/digits-cnn:best"


@dataclass(frozen=True)
class Reference:
    """`str(parse(text))` is `text` with its alias written out."""

    entity: str
    project: str
    name: str
    alias: str

    def __str__(self) -> str:
        return f"{self.collection}:{self.alias}"

    @property
    def collection(self) -> str:
        """What the versions belong to: `entity/project/name`."""
        return f"{self.entity}/{self.project}/{self.name}"

    def at(self, alias: str) -> "Reference":
        """The same collection at another alias or version."""
        return Reference(self.entity, self.project, self.name, alias)


def looks_like_reference(text: str) -> bool:
    """Whether text is a reference rather than a path or another URL. What exists as a path is a path.

    Two slashes make a reference; fewer need a colon, else any mistyped file name would be one.
    """
    if os.path.exists(text) or text.startswith((".", "/", "~")):
        return False
    if "://" in text:
        return _is_artifact_page(text)
    slashes = text.count("/")
    return slashes == 2 or (slashes < 2 and ":" in text)


def is_version(alias: str) -> bool:
    """Whether an alias is a version, `v0`, `v1`, …, which never moves."""
    return _VERSION.fullmatch(alias) is not None


def parse(text: str) -> Reference:
    """Read a reference; a malformed one is explained with the part at fault."""
    if "://" in text:
        return _parse_url(text)
    path, colon, alias = text.partition(":")
    if colon and not alias:
        raise UsageError(f"{text!r}: the alias after the colon is empty; use latest, v0 or an alias")
    parts = path.split("/")
    if len(parts) > 3:
        raise UsageError(f"{text!r} is not a reference: expected {_FORM}, and this has {len(parts)} parts, not 3")
    return _checked(*_completed(parts, text), alias or "latest")


def check_names(reference: Reference) -> None:
    """Every part becomes a folder's name, so none may climb out of the registry or hide in it."""
    for part in ("entity", "project", "name", "alias"):
        value = getattr(reference, part)
        if not _PART.fullmatch(value):
            raise UsageError(
                f"{str(reference)!r}: the {part} {value!r} may hold letters, digits, '.', '_' and '-', "
                "begins with a letter, a digit or '_', and has at most 128 characters"
            )


def _checked(entity: str, project: str, name: str, alias: str) -> Reference:
    reference = Reference(entity, project, name, alias)
    check_names(reference)
    return reference


def _completed(parts: list[str], text: str) -> tuple[str, str, str]:
    """Entity, project and name; what is missing at the front comes from W&B's own variables."""
    name = parts[-1]
    project = parts[-2] if len(parts) > 1 else _default("project", "WANDB_PROJECT", text)
    if len(parts) > 2:
        return parts[-3], project, name
    # W&B refuses a team where it expects the organization that a registry belongs to.
    variable = "WANDB_ORGANIZATION" if project.startswith(_REGISTRY) else "WANDB_ENTITY"
    return _default("entity", variable, text), project, name


def _default(part: str, variable: str, text: str) -> str:
    if value := os.environ.get(variable):
        return value
    raise UsageError(f"{text!r} names no {part}: set {variable}, or write it out as {_FORM}")


def _parse_url(text: str) -> Reference:
    url = _split(text)
    if url.netloc not in _hosts():
        raise UsageError(f"{text!r} is not on the W&B server in use, {base_url()}. WANDB_BASE_URL names another")
    query = parse_qs(url.query)
    steps = _steps(url)
    if "selectionPath" in query:  # a page of a registry
        selected = query["selectionPath"][-1].split("/")
        if len(selected) != 3:
            raise UsageError(f"{text!r}: its selectionPath should name entity/project/name; copy the address again")
        return _checked(selected[0], selected[1], selected[2], query.get("version", ["latest"])[-1])
    if len(steps) >= 5 and steps[2] == "artifacts":
        return _checked(steps[0], steps[1], steps[4], steps[5] if len(steps) > 5 else "latest")
    raise UsageError(
        f"{text!r} is not the page of an artifact. Open the version in the browser and copy its address, "
        "…/entity/project/artifacts/type/name/version"
    )


def _is_artifact_page(text: str) -> bool:
    """A page of an artifact on W&B's own servers or the one in use; other URLs may be files to download."""
    try:
        url = _split(text)
    except UsageError:
        return False
    wandb = url.netloc in _hosts() or url.netloc == "wandb.ai" or url.netloc.endswith((".wandb.ai", ".wandb.io"))
    return wandb and not {"artifacts", "registry"}.isdisjoint(_steps(url))


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a URL: {error}") from None
    if url.scheme not in ("http", "https"):
        raise UsageError(f"{text!r} is neither {_FORM}, nor the http(s) address of a W&B page")
    return url


def _steps(url: SplitResult) -> list[str]:
    return [unquote(step) for step in url.path.split("/") if step]


def _hosts() -> set[str]:
    """Where the server in use answers: its API, and the pages it shows to people."""
    api = urlsplit(base_url()).netloc
    pages = api.removeprefix("api.") if api == "api.wandb.ai" else re.sub(r"^api\.", "app.", api)
    own = urlsplit(os.environ.get("WANDB_APP_URL") or "").netloc
    return {api, pages, own} - {""}
