"""Outputs become the parts of a response."""

import msgspec
import numpy as np
import pytest

from lit_infer.errors import UsageError
from lit_infer.server.oip.answers import classified, raw_output, response
from lit_infer.server.oip.tensors import split_bytes
from lit_infer.server.results import InferRequest, Items, WantedOutput
from tests.inference.tiny import described
from tests.support.server.tensor_models import model, two_d

SCORES = np.array([[0.25, 0.5, 0.25]], dtype=np.float32)


def wanting(*wanted: WantedOutput, id: str = "") -> InferRequest:  # noqa: A002 - the field's name
    return InferRequest(id, Items(), wanted)


def test_only_the_requested_outputs_are_sent_in_their_order() -> None:
    manifest = model(two_d("int8", "a"), two_d("int8", "b"), two_d("int8", "c"))
    outputs = [np.full((1, 3), value, np.int8) for value in (1, 2, 3)]
    asked = wanting(WantedOutput("c", binary=True), WantedOutput("a", binary=False), id="7")

    (head, blob), length = response(asked, outputs, manifest=manifest, name="m", version="2")

    found = msgspec.json.decode(head)
    assert (found["model_name"], found["model_version"], found["id"], length) == ("m", "2", "7", len(head))
    assert [one["name"] for one in found["outputs"]] == ["c", "a"]
    assert found["outputs"][0]["parameters"] == {"binary_data_size": 3}
    assert (blob, found["outputs"][1]["data"]) == (b"\3\3\3", [1, 1, 1])


def test_more_classes_than_there_are_give_them_all() -> None:
    wanted = WantedOutput("x", binary=False, classes=99)

    assert classified(SCORES, wanted, model(two_d("float32"))) == [["0.5:1", "0.25:0", "0.25:2"]]


def test_classes_have_their_labels_where_the_model_has_some() -> None:
    wanted = WantedOutput("probabilities", binary=True, classes=1)

    datatype, shape, blob = raw_output(wanted, SCORES, described())

    assert (datatype, shape) == ("BYTES", [1, 1])
    assert split_bytes(memoryview(blob), "probabilities", most=1) == [b"0.5:1:green"]


@pytest.mark.parametrize("array", [np.zeros(3, np.float32), np.zeros((0, 3), np.float32)])
def test_what_is_not_a_row_of_classes_is_not_classified(array: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"classification needs \[batch, classes\]"):
        classified(array, WantedOutput("x", binary=False, classes=1), model(two_d("float32")))
