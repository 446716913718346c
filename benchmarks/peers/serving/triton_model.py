"""Triton's python backend: one of two instances."""

import json
import os
import sys

# Triton's stub holds an interpreter that does not look at PYTHONPATH.
sys.path[:0] = os.environ["LIT_PEER_PATH"].split(":")

import numpy  # noqa: E402
import triton_python_backend_utils as triton  # noqa: E402
from peer_model import PeerModel  # noqa: E402


class TritonPythonModel:
    """BYTES in, BYTES out."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the graph."""
        self.model = PeerModel()

    def execute(self, requests: list) -> list:
        """A batch: one image in each request."""
        images = [triton.get_input_tensor_by_name(one, "image").as_numpy()[0, 0] for one in requests]
        return [_response(answer) for answer in self.model.predict(images)]


def _response(answer: dict[str, object]) -> "triton.InferenceResponse":
    best = numpy.array([[json.dumps(answer).encode()]], dtype=object)
    return triton.InferenceResponse([triton.Tensor("best", best)])
