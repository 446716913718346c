"""Clients and tools of others, each in an environment of its own, against a real `lit-serve`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import environments
from tests.clients.served import served, write_right
from tests.support.server.process import Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("served")) as started:
        yield started


@pytest.fixture(scope="module")
def told(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the scripts of other environments find in theirs."""
    folder = tmp_path_factory.mktemp("right")
    write_right(folder)
    return {"LIT_TEST_RIGHT": str(folder), "LIT_TEST_HTTP": f"127.0.0.1:{server.port}", "LIT_TEST_GRPC": server.grpc}


def test_triton_clients(told: dict[str, str], tmp_path: Path) -> None:
    python = environments.python_of("triton", tmp_path / "environment")
    scripts = ("triton_calls.py", "triton_http.py", "triton_grpc.py", "triton_complete.py")

    environments.run_tests(python, *scripts, cwd=tmp_path, **told)


def test_kserve_clients(told: dict[str, str], tmp_path: Path) -> None:
    python = environments.python_of("kserve", tmp_path / "environment")

    environments.run_tests(python, "kserve_calls.py", cwd=tmp_path, **told)


@pytest.fixture(scope="module")
def schemathesis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of its environment."""
    return environments.python_of("schemathesis", tmp_path_factory.mktemp("schemathesis") / "environment")


def test_answers_are_as_the_openapi_document_says(schemathesis: Path, told: dict[str, str], tmp_path: Path) -> None:
    environments.run_tests(schemathesis, "openapi_calls.py", cwd=tmp_path, **told)


def test_schemathesis_finds_nothing(schemathesis: Path, server: Server, tmp_path: Path) -> None:
    command = [schemathesis.parent / "schemathesis", "--config-file", environments.HERE / "schemathesis.toml", "run"]
    # Without its stateful phase: that follows links between the answers, of which this protocol has none.
    bounds = ["--phases", "coverage,fuzzing", "--max-examples", "10", "--seed", "1", "--no-color"]

    said = environments.run([*command, *bounds, f"{server.url}/openapi.json"], tmp_path)

    assert re.search(r"(\d+) generated, \1 passed", said), said
    assert server.process.poll() is None
