from collections.abc import Callable
from pathlib import Path

import pytest

from lit_infer.bench.served.agreement import check_same
from lit_infer.bench.served.model import ServedModel
from lit_infer.bench.served.opening import Servers
from lit_infer.bench.subjects import Subject, open_subjects
from lit_infer.errors import GateError


@pytest.fixture(scope="module")
def own(proven: Path) -> list[Subject]:
    """The bundle in this process, with one and two threads."""
    return open_subjects(str(proven), device="cpu", threads=(1, 2))[0]


def test_a_server_of_the_same_bundle_agrees(own: list[Subject], url: str) -> None:
    (served,) = Servers([url]).open(inputs=own[0].arrays)

    found = check_same(served, own)

    assert found.name == "onnx"
    assert 0 <= found.difference < 1e-5


def test_images_are_compared_with_their_preprocessing(own: list[Subject], url: str, colours: Path) -> None:
    (served,) = Servers([url]).open(images=sorted(colours.rglob("*.png")))

    assert check_same(served, own).difference < 1e-5


def test_another_model_is_not_measured_in_its_place(
    own: list[Subject], narrow_model: Callable[..., ServedModel]
) -> None:
    other = narrow_model("http", "other")

    with pytest.raises(
        GateError, match=r"other version 1 does not give the answers of colours@0123456789ab here \(onnx"
    ):
        check_same(other, own)
