"""How the server describes itself and the tiny model."""

from pathlib import Path

import pytest

import lit_infer
from lit_infer.errors import NotFoundError
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from lit_infer.server.oip import describe
from tests.inference.tiny import SIDE
from tests.support.server.proven import make_proven


def test_the_server_has_its_name_version_and_extensions() -> None:
    found = describe.server()

    assert (found["name"], found["version"]) == ("lit-serve", lit_infer.__version__)
    assert found["extensions"] == list(describe.EXTENSIONS)


def test_a_dimension_of_unknown_length_is_minus_1_in_the_metadata(repository: Repository) -> None:
    with repository.held("colours") as served:
        found = describe.metadata(served, ["1"])

    assert (found["name"], found["versions"]) == ("colours", ["1"])
    assert found["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, SIDE, SIDE, 3]}]
    assert " " not in found["platform"]


def test_the_batch_is_not_among_the_dims_of_the_configuration(repository: Repository) -> None:
    with repository.held("colours") as served:
        found = describe.config(served)
        assert found["max_batch_size"] == served.runner.largest

    assert found["input"] == [{"name": "images", "data_type": "TYPE_UINT8", "dims": [SIDE, SIDE, 3]}]
    assert found["instance_group"][0]["kind"] == "KIND_CPU"


def test_statistics_are_those_of_a_version_a_model_or_all(repository: Repository) -> None:
    (one,) = describe.all_statistics(repository, "colours", "1")

    assert (one["name"], one["version"]) == ("colours", "1")
    assert set(one["inference_stats"]) >= {"success", "fail", "queue", "compute_input", "compute_infer"}
    assert describe.all_statistics(repository) == describe.all_statistics(repository, "colours") == [one]
    (of_images,) = describe.all_statistics(repository, "colours/images")
    assert of_images == one | {"name": "colours/images"}  # perf_analyzer looks for the name that it asked for
    with pytest.raises(NotFoundError, match="no version 9 of model colours here"):
        describe.all_statistics(repository, "colours", "9")


def test_the_index_lists_states(repository: Repository) -> None:
    ready = {"name": "colours", "version": "1", "state": "READY", "reason": ""}

    assert describe.index(repository, ready_only=False) == describe.index(repository, ready_only=True) == [ready]


def test_a_model_whose_rows_are_joined_has_no_batch_to_fill(tmp_path: Path) -> None:
    repository = Repository(parse([str(make_proven(tmp_path / "b", rows="joined"))]), Opening(device="cpu"))
    try:
        with repository.held("colours") as served:
            found = describe.config(served)
    finally:
        repository.close()

    assert found["max_batch_size"] == 0
    assert "dynamic_batching" not in found
    assert found["input"][0]["dims"] == [-1, SIDE, SIDE, 3]


def test_below_images_a_model_is_described_as_taking_encoded_images(repository: Repository) -> None:
    with repository.held("colours/images") as served:
        found = describe.metadata(served, ["1"], "colours/images")
        config = describe.config(served, "colours/images")

    assert found["name"] == config["name"] == "colours/images"
    assert found["inputs"] == [{"name": "images", "datatype": "BYTES", "shape": [-1, 1]}]
    assert config["input"] == [{"name": "images", "data_type": "TYPE_STRING", "dims": [1]}]
