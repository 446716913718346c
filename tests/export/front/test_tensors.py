"""lit_export.front.tensors: torch's own tensors from bytes, as torch.load makes them."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lit_export.front import container, tensors
from lit_export.front.plain_values import Storage, TensorOutline, TorchValue
from lit_infer.errors import ArtifactError

BASE = torch.arange(24.0)
DTYPES = [
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32),
    *(torch.float64, torch.complex64, torch.complex128, torch.bool),
]


def loaded(value: Any, path: Path, **options: Any) -> Any:
    torch.save(value, path, **options)
    with path.open("rb") as file:
        packed = container.read(file, where="x.ckpt")
        storages, _ = tensors.load(file, packed, [packed.contents], where="x.ckpt")
    return tensors.restored(packed.contents, storages, order=packed.order, where="x.ckpt")


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "older"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_is_read(dtype: torch.dtype, zipped: bool, tmp_path: Path) -> None:
    value = BASE.to(dtype).reshape(4, 6)

    found = loaded(
        [value, value[1:, ::2], value.t(), value[0, 0], value[:0]],
        tmp_path / "x",
        _use_new_zipfile_serialization=zipped,
    )

    for one, other in zip(found, [value, value[1:, ::2], value.t(), value[0, 0], value[:0]], strict=True):
        assert one.dtype == dtype
        assert one.stride() == other.stride()
        assert torch.equal(one, other)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn], ids=str)
def test_dtypes_without_a_storage_class_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    found = loaded(torch.arange(6).to(dtype), tmp_path / "x")

    assert found.dtype == dtype
    assert found.float().tolist() == list(range(6))


def test_tensors_that_share_memory_still_do(tmp_path: Path) -> None:
    weights = torch.zeros(4, 3)
    found = loaded({"a": weights, "b": weights[1:], "tied": weights}, tmp_path / "x")

    found["a"][1, 0] = 5

    assert (found["b"][0, 0], found["tied"][1, 0]) == (5, 5)


def test_an_expanded_tensor_takes_no_memory(tmp_path: Path) -> None:
    found = loaded(torch.ones(1).expand(1 << 40), tmp_path / "x")

    assert found.shape == (1 << 40,)
    assert found.untyped_storage().nbytes() == 4


OTHERS: dict[str, Callable[[], torch.Tensor]] = {
    "sparse": lambda: torch.eye(3).to_sparse(),
    "csr": lambda: torch.eye(3).to_sparse_csr(),
    "bsr": lambda: torch.eye(4).to_sparse_bsr((2, 2)),
    "parameter": lambda: torch.nn.Parameter(torch.ones(2)),
    "buffer": lambda: torch.nn.Buffer(torch.ones(2)),
    "meta": lambda: torch.empty(3, device="meta"),
    "empty": lambda: torch.zeros(2, 0),
    "conjugate": lambda: torch.tensor([1 + 2j]).conj(),
    "negative": lambda: torch.tensor([1 + 2j]).conj().imag,
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.filterwarnings("ignore:Sparse")
def test_other_kinds_of_tensors_are_read(kind: str, tmp_path: Path) -> None:
    value = OTHERS[kind]()

    found = loaded({"a": value}, tmp_path / "x")["a"]

    assert (found.shape, found.layout, found.device) == (value.shape, value.layout, value.device)
    if kind != "meta":
        assert torch.equal(dense(found), dense(value))


def dense(value: torch.Tensor) -> torch.Tensor:
    return value.detach() if value.layout == torch.strided else value.to_dense()


@pytest.mark.filterwarnings("ignore")
def test_quantized_tensors_are_read(tmp_path: Path) -> None:
    per_tensor = torch.quantize_per_tensor(BASE.reshape(4, 6), 0.5, 3, torch.quint8)
    scales, zeros = torch.tensor([0.5, 0.25, 1.0, 2.0], dtype=torch.float64), torch.zeros(4, dtype=torch.int64)
    per_channel = torch.quantize_per_channel(BASE.reshape(4, 6), scales, zeros, 0, torch.qint8)

    found = loaded([per_tensor, per_channel], tmp_path / "x")

    assert torch.equal(found[0].dequantize(), per_tensor.dequantize())
    assert torch.equal(found[1].dequantize(), per_channel.dequantize())


def test_torchs_own_values_are_made(tmp_path: Path) -> None:
    value = [torch.float16, torch.device("cuda:1"), torch.strided, torch.Size([2]), torch.per_tensor_affine]

    assert loaded(value, tmp_path / "x") == value


def test_a_value_that_this_torch_does_not_know_stays_as_it_is() -> None:
    for value in (TorchValue("constant", "torch.float3"), TorchValue("device", "toaster:1")):
        assert tensors.restored([value], {}, order="<", where="x") == [value]


def test_the_other_byte_order_is_turned_round() -> None:
    for dtype, kind in ((">f4", "Float"), (">c8", "ComplexFloat"), (">i8", "Long")):
        numbers = np.array([1, 2, 300], dtype)
        buffer = torch.frombuffer(bytearray(numbers.tobytes()), dtype=torch.uint8)
        outline = TensorOutline(kind, (3,), Storage("0", kind, 3), (1,), 0)

        found = tensors.restored(outline, {"0": buffer}, order=">", where="x")

        assert found.tolist() == [1, 2, 300]


def test_what_was_not_loaded_stays_an_outline() -> None:
    outline = TensorOutline("Float", (3,), Storage("0", "Float", 3), (1,), 0)

    assert tensors.restored({"a": outline}, {}, order="<", where="x") == {"a": outline}


@pytest.mark.parametrize(
    "outline",
    [
        TensorOutline("float3", (), Storage("0", "Float", 1), (), 0),
        TensorOutline("load", (), Storage("0", "Float", 1), (), 0),
        TensorOutline("Float", (1,), Storage("0", "Float", 1), (1,), 0, "quantized", ("x", 1.0, 0)),
        TensorOutline("Float", (), None, form="sparse", parts=("torch.load", None)),
    ],
)
def test_a_tensor_that_cannot_be_made_is_named(outline: TensorOutline) -> None:
    buffer = {"0": torch.zeros(4, dtype=torch.uint8)}

    with pytest.raises(ArtifactError, match=r"x\.ckpt holds a .* tensor of .* that this torch cannot make"):
        tensors.restored(outline, buffer, order="<", where="x.ckpt")


def test_the_file_is_hashed_whole(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(3), "b": torch.ones(5)}, tmp_path / "x")
    file = io.BytesIO((tmp_path / "x").read_bytes())
    packed = container.read(file, where="x")

    found, digest = tensors.load(file, packed, [packed.contents["a"]], where="x")

    assert {key: len(buffer) for key, buffer in found.items()} == {"0": 12}
    assert digest == hashlib.sha256(file.getvalue()).hexdigest()
