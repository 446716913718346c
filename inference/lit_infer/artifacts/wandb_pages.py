"""Pages of W&B as the browser shows them, and how a short reference is completed for it.

A collection of a W&B registry is `wandb-registry-<registry>/collection:alias`.
"""

import os
import re
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from lit_infer.artifacts.reference import FORM, Reference, checked
from lit_infer.artifacts.wandb_mode import base_url
from lit_infer.errors import UsageError

_REGISTRY = "wandb-registry-"  # how W&B begins the name of a registry's project


def variable(part: str, project: str) -> str:
    """The variable for an entity or a project. W&B refuses a team where it expects a registry's organization."""
    return "WANDB_ORGANIZATION" if part == "entity" and project.startswith(_REGISTRY) else f"WANDB_{part.upper()}"


def read_page(text: str) -> Reference:
    """The reference that the address of a page means."""
    url = _split(text)
    if url.netloc not in _hosts():
        raise UsageError(f"{text!r} is not on the W&B server in use, {base_url()}. WANDB_BASE_URL names another")
    query = parse_qs(url.query)
    steps = _steps(url)
    if "selectionPath" in query:  # a page of a registry
        selected = query["selectionPath"][-1].split("/")
        if len(selected) != 3:
            raise UsageError(f"{text!r}: its selectionPath should name entity/project/name; copy the address again")
        return checked(selected[0], selected[1], selected[2], query.get("version", ["latest"])[-1])
    if len(steps) >= 5 and steps[2] == "artifacts":
        return checked(steps[0], steps[1], steps[4], steps[5] if len(steps) > 5 else "latest")
    raise UsageError(
        f"{text!r} is not the page of an artifact. Open the version in the browser and copy its address, "
        "…/entity/project/artifacts/type/name/version"
    )


def is_page(text: str) -> bool:
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
        raise UsageError(f"{text!r} is neither {FORM}, nor the http(s) address of a W&B page")
    return url


def _steps(url: SplitResult) -> list[str]:
    return [unquote(step) for step in url.path.split("/") if step]


def _hosts() -> set[str]:
    """Where the server in use answers: its API, and the pages it shows to people."""
    api = urlsplit(base_url()).netloc
    pages = api.removeprefix("api.") if api == "api.wandb.ai" else re.sub(r"^api\.", "app.", api)
    own = urlsplit(os.environ.get("WANDB_APP_URL") or "").netloc
    return {api, pages, own} - {""}
