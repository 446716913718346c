"""lit_export.front.download: a file by URL, whole or not at all."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from lit_export.front.checkpoint import open_checkpoint
from lit_export.front.download import download, file_name, is_url
from lit_infer.errors import ArtifactError, LitError, NotFoundError, UsageError

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # aiohttp's, of a session fsspec keeps


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    body = bytes(range(256)) * 40


class _Answer(BaseHTTPRequestHandler):
    server: _Server

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        if self._head():
            body = self.server.body
            self.wfile.write(body[: len(body) // 2] if self.path.startswith("/short") else body)

    def _head(self) -> bool:
        code = {"/missing": 404, "/broken": 500}.get(self.path.partition(".")[0], 200)
        self.send_response(code)
        self.send_header("Content-Length", str(len(self.server.body) if code == 200 else 0))
        self.send_header("Connection", "close")
        self.end_headers()
        return code == 200

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[_Server]:
    found = _Server(("127.0.0.1", 0), _Answer)
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def url(server: _Server, path: str) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{path}"


def test_a_file_arrives_whole_under_its_own_name(server: _Server, tmp_path: Path) -> None:
    path = download(url(server, "net.ckpt?token=1"), tmp_path)
    assert path == tmp_path / "net.ckpt"
    assert path.read_bytes() == server.body


@pytest.mark.parametrize(
    ("path", "kind"), [("missing.ckpt", NotFoundError), ("broken.ckpt", ArtifactError), ("short.ckpt", ArtifactError)]
)
def test_what_does_not_arrive_leaves_nothing(server: _Server, tmp_path: Path, path: str, kind: type[LitError]) -> None:
    with pytest.raises(kind, match=path):
        download(url(server, path), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("limits", "said"), [({"max_bytes": 100}, "bytes"), ({"max_seconds": -1.0}, "too long")])
def test_size_and_time_are_bounded(server: _Server, tmp_path: Path, limits: dict[str, float], said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        download(url(server, "net.ckpt"), tmp_path, **limits)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="could not be downloaded"):
        download("http://127.0.0.1:9/net.ckpt", tmp_path)


@pytest.mark.parametrize("place", ["ftp://host/net.ckpt", "file:///etc/passwd", "github://a:b@/x"])
def test_other_schemes_are_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(UsageError, match="https://"):
        download(place, tmp_path)


def test_names_and_urls_are_told_apart() -> None:
    assert file_name("s3://bucket/run/last.ckpt") == "last.ckpt"
    assert file_name("https://host/") == "download"
    assert is_url("gs://a/b")
    assert not is_url("C:/a/b.ckpt")


def test_a_checkpoint_is_opened_by_its_url(server: _Server, tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.ones(1)}}, tmp_path / "x.ckpt")
    server.body = (tmp_path / "x.ckpt").read_bytes()
    found = open_checkpoint(artifact=None, checkpoint=url(server, "best.ckpt"))
    assert (found.name, found.where) == ("best", url(server, "best.ckpt"))
    assert found.contents["state_dict"]["w"].item() == 1
