"""A graph that cannot be opened within a limit of time and memory is refused, and the server lives."""

from pathlib import Path

import numpy as np
import pytest

from lit_infer.errors import EngineError, UsageError
from lit_infer.server.models.open_limit import OpenLimit, parse
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse as parse_sources
from tests.inference.tiny import SIDE, colour
from tests.support.server.endless import make_endless
from tests.support.server.process import refused

WHITE = np.full((1, SIDE, SIDE, 3), 255, np.uint8)


def endless_at_once(folder: Path) -> Path:
    """A bundle that hangs already when its golden answers are compared."""
    made = make_endless(folder)
    images = np.concatenate([WHITE, colour("red")[None]])
    np.savez(made / "golden.npz", images=images, probabilities=np.full((2, 3), 1 / 3, np.float32))
    return made


def opened(path: Path, limit: OpenLimit, processes: int) -> None:
    opening = Opening(device="cpu", threads=1, processes=processes, open_limit=limit)
    Repository(parse_sources([str(path)]), opening).close()


@pytest.mark.parametrize("processes", [0, 1])
def test_a_graph_that_is_not_opened_in_time_is_refused(tmp_path: Path, processes: int) -> None:
    made = endless_at_once(tmp_path / "b")

    with pytest.raises(EngineError, match="not opened in 3 s; see --open-limit"):
        opened(made, OpenLimit(3), processes)


def test_a_graph_that_takes_too_much_memory_is_refused_in_one_line(proven: Path) -> None:
    code, said = refused(str(proven), "--open-limit", "30s,50M", "--port", "0")  # Python alone needs more

    assert code == 1
    assert "needed more than 50 MiB to be opened; see --open-limit" in said


def test_one_that_keeps_the_limit_is_served(proven: Path) -> None:
    opened(proven, OpenLimit(30, 2**30), 0)


@pytest.mark.parametrize(
    ("text", "limit"),
    [("60s", OpenLimit(60)), ("2m,4G", OpenLimit(120, 2**32)), ("5, 1.5 GiB", OpenLimit(5, 3 * 2**29))],
)
def test_a_limit_is_a_time_and_a_size(text: str, limit: OpenLimit) -> None:
    assert parse(text) == limit


@pytest.mark.parametrize("text", ["", "4G", "0s", "60s,", "60s,0G", "60s 4G"])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="60s,4G"):
        parse(text)
