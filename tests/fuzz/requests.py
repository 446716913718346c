"""What clients send to a server, as harnesses: the protocol's JSON and binary parts, uploads, messages of gRPC."""

from typing import Any

import numpy as np

from lit_infer.errors import LitError
from lit_infer.manifest import Manifest, Tensor
from lit_infer.server.grpc import inference_pb2 as pb
from lit_infer.server.grpc import messages
from lit_infer.server.grpc.calls import parsed
from lit_infer.server.http import bodies, uploads, v1
from lit_infer.server.oip import answers, protocol
from lit_infer.server.oip.tensors import DATATYPES, MOST_IMAGES
from lit_infer.server.results import InferRequest, Items
from tests.inference.tiny import described

_ROWS = ("batch", 3)
_TENSORS = tuple(Tensor(name=dtype, dtype=dtype, shape=_ROWS) for dtype in DATATYPES)  # type: ignore[arg-type]
_IDS = Tensor(name="ids", dtype="int64", shape=("batch", "length"))
_MASK = Tensor(name="mask", dtype="bool", shape=("batch", "length"))


def _tensors(*inputs: Tensor) -> Manifest:
    return described(task="tensor", inputs=inputs, outputs=inputs, labels=None, preprocess=())


MODELS = (described(), _tensors(_IDS, _MASK), *(_tensors(one) for one in _TENSORS))
"""One of images, one of two inputs whose lengths must agree, and one of each type of number."""
_LIMIT = 2**18
_KINDS = (
    pb.ModelInferRequest,
    pb.ModelMetadataRequest,
    pb.ModelConfigRequest,
    pb.ModelStatisticsRequest,
    pb.RepositoryIndexRequest,
    pb.RepositoryModelLoadRequest,
    pb.RepositoryModelUnloadRequest,
)


def infer(data: bytes) -> None:
    """A request of the Open Inference Protocol: a line with the length of its JSON, or nothing; then the body."""
    line, _, body = data.partition(b"\n")
    length = int(line) if line.isdigit() and len(line) < 10 else None
    for manifest in MODELS:
        try:
            asked = protocol.parse(body, header_length=length, manifest=manifest)
        except LitError as error:
            _check_refusal(error)
            continue
        _check(asked.items, manifest)
        rows = len(asked.items.images) or len(asked.items.arrays[0])
        outputs = [np.zeros(_shape(tensor, min(rows, 4)), tensor.dtype) for tensor in manifest.outputs]
        parts, header = answers.response(asked, outputs, manifest=manifest, name=manifest.name, version="1")
        assert header is None or header == len(parts[0])


def predict(data: bytes) -> None:
    """A body of `/predict` and of KServe's V1: two lines with its encoding and type, then the body."""
    encoding, _, rest = data.partition(b"\n")
    kind, _, body = rest.partition(b"\n")
    try:
        if encoding:
            body = bodies.decompress(body, encoding.decode("latin-1"), limit=_LIMIT)
            assert len(body) <= _LIMIT
        found = uploads.read(kind.decode("latin-1"), body)
        assert 0 < len(found.images) <= MOST_IMAGES
        assert not found.names or len(found.names) == len(found.images)
    except LitError as error:
        _check_refusal(error)
    for manifest in MODELS:
        try:
            _check(v1.items_of(body, manifest), manifest)
        except LitError as error:
            _check_refusal(error)


def message(data: bytes) -> None:
    """A message of gRPC, as each kind of request."""
    for kind in _KINDS:
        try:
            request = parsed(kind, data)
        except LitError as error:
            _check_refusal(error)
            continue
        if isinstance(request, pb.ModelInferRequest):
            _infer(request)


def _infer(request: Any) -> None:
    for manifest in MODELS:
        try:
            asked: InferRequest = messages.fitted(request, manifest)
        except LitError as error:
            _check_refusal(error)
        else:
            _check(asked.items, manifest)


def _check(items: Items, manifest: Manifest) -> None:
    """What is let through is what the model takes."""
    assert bool(items.images) != bool(items.arrays)
    assert items.timeout is None or items.timeout > 0
    assert len(items.images) <= MOST_IMAGES
    lengths: dict[str, int] = {}
    for array, tensor in zip(items.arrays, manifest.inputs, strict=bool(items.arrays)):
        assert array.dtype.name == tensor.dtype
        assert array.size
        for side, expected in zip(array.shape, tensor.shape, strict=True):
            assert side == (lengths.setdefault(expected, side) if isinstance(expected, str) else expected)


def _check_refusal(error: LitError) -> None:
    """The client is told what is wrong with what it sent, and not at length."""
    assert 400 <= error.status < 500 or error.status == 501, error
    assert str(error)


def _shape(tensor: Tensor, rows: int) -> list[int]:
    return [side if isinstance(side, int) else rows if index == 0 else 2 for index, side in enumerate(tensor.shape)]
