"""Real servers, each a process: one with the tiny model alone, one with two models, a key and hardly any room."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lit_infer.bench.served.model import ServedModel
from lit_infer.bench.served.opening import Servers
from tests.inference.bench.servers import KEY, WAIT_S, make_other, url_of
from tests.support.server.process import Server, command, serving
from tests.support.server.proven import make_proven


@pytest.fixture(scope="session")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's bundle with golden answers. Read only."""
    return make_proven(tmp_path_factory.mktemp("benched") / "colours")


@pytest.fixture(scope="session")
def server(proven: Path) -> Iterator[Server]:
    """The tiny model alone, over HTTP and gRPC."""
    with serving(proven, grpc=True) as started:
        yield started


@pytest.fixture(scope="session")
def narrow(proven: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`colours` and `other`, which asks for KEY. A lone item waits WAIT_S for company that finds the queue full."""
    folder = tmp_path_factory.mktemp("narrow")
    (folder / "keys").write_text(f"{KEY}\n")
    other = make_other(folder / "other")
    room = ("--max-queue", "1", "--max-delay", f"{WAIT_S}s", "--api-key-file", "keys", "--quiet")
    with command(f"colours={proven}", f"other={other}", *room, cwd=folder) as started:
        yield started


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """What opens `narrow`."""
    path = tmp_path / "keys"
    path.write_text(f"# of a test\n{KEY}\n")
    return path


@pytest.fixture(params=["http", "grpc"])
def url(request: pytest.FixtureRequest, server: Server) -> str:
    """The server's, by each protocol."""
    return url_of(server, request.param)


@pytest.fixture
def narrow_model(narrow: Server, key_file: Path) -> Callable[..., ServedModel]:
    """Opens a model of the narrow server."""

    def opened(protocol: str, model: str = "colours") -> ServedModel:
        return Servers([url_of(narrow, protocol)], model, key_file).open()[0]

    return opened
