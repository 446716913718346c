"""Every seed passes, crashes that became seeds among them, and so does a little fuzzing. `make fuzz` does more."""

from pathlib import Path

import pytest

from tests.fuzz.harnesses import HARNESSES
from tests.fuzz.running import SEEDS, fuzz, seeds

# PIL warns of some damaged files, and tarfile of some headers; that is no error of the item.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning", "ignore::DeprecationWarning")


def test_every_harness_has_seeds_and_every_folder_of_seeds_has_a_harness() -> None:
    assert {path.name for path in SEEDS.iterdir()} == set(HARNESSES)
    assert all(seeds(name) for name in HARNESSES)


@pytest.mark.parametrize("name", HARNESSES)
def test_every_seed_passes(name: str) -> None:
    for data in seeds(name):
        HARNESSES[name](data)


@pytest.mark.parametrize("name", HARNESSES)
def test_bytes_near_to_the_seeds_end_in_nothing_but_the_projects_errors(name: str) -> None:
    found = fuzz(HARNESSES[name], name, seconds=0, start=1)

    assert found.crash is None, found.kept
    assert found.examples >= 100


def test_what_breaks_a_harness_becomes_a_seed_that_is_as_small_as_it_gets(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/good").write_bytes(b"good" * 20)

    def harness(data: bytes) -> None:
        if b"\xff\xff" in data:
            raise KeyError("it breaks")

    found = fuzz(harness, "x", seconds=60, root=tmp_path, start=1)

    assert isinstance(found.crash, KeyError)
    assert found.kept is not None
    assert b"\xff\xff" in found.kept.read_bytes()
    assert found.kept.read_bytes() in seeds("x", root=tmp_path)
