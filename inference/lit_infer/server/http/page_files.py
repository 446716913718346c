"""The files of the page at `/`: plain HTML, CSS and JavaScript, which hold no data."""

import hashlib
from dataclasses import dataclass
from importlib import resources

_MEDIA = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_PARTS = (
    "boxes.js",
    "card.js",
    "choice.js",
    "dom.js",
    "layers.js",
    "masks.js",
    "metrics.js",
    "page.css",
    "page.js",
    "plots.js",
    "points.js",
    "results.js",
    "runs.js",
    "server.js",
    "spans.js",
)

NAMES = {"/": "index.html", **{f"/page/{name}": name for name in _PARTS}}
"""The file for each path. Nothing else in the folder is served."""


@dataclass(frozen=True)
class PageFile:
    """A file as it is sent to a browser."""

    body: bytes
    media_type: str
    etag: str


def read(name: str) -> PageFile:
    """Read one file from the installed package."""
    body = (resources.files("lit_infer.server.http") / "static" / name).read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:32]
    return PageFile(body, _MEDIA[name.rpartition(".")[2]], f'"{digest}"')
