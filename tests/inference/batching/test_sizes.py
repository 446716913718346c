"""What a manifest says of batches."""

import pytest

from lit_infer.batching.sizes import blank, fixed_batch, is_batched, static_batch
from lit_infer.manifest import Dimension, Manifest, Tensor
from tests.inference.tiny import described


def tensors(inputs: tuple[Dimension, ...], outputs: tuple[Dimension, ...]) -> Manifest:
    return described(
        task="tensor",
        inputs=(Tensor(name="x", dtype="float32", shape=inputs),),
        outputs=(Tensor(name="y", dtype="float32", shape=outputs),),
        preprocess=(),
        labels=None,
    )


@pytest.mark.parametrize(
    ("inputs", "outputs", "static", "batched"),
    [
        (("batch", 3), ("batch", 2), None, True),
        (("batch", 3), ("other", 2), None, False),
        ((4, 3), (4, 2), 4, False),
        ((), (), None, False),
        (("batch", 3), (), None, False),
    ],
)
def test_rows_are_independent_where_every_tensor_begins_with_the_same_named_side(
    inputs: tuple[Dimension, ...], outputs: tuple[Dimension, ...], static: int | None, batched: bool
) -> None:
    found = tensors(inputs, outputs)

    assert (static_batch(found), is_batched(found), fixed_batch(found)) == (static, batched, None)


def test_images_of_one_batch_size_can_be_joined_but_only_so_many() -> None:
    fixed = described(
        inputs=(Tensor(name="images", dtype="uint8", shape=(4, 8, 8, 3)),),
        outputs=(Tensor(name="probabilities", dtype="float32", shape=(4, 3)),),
    )

    assert (is_batched(fixed), fixed_batch(fixed)) == (True, 4)


def test_blank_inputs_have_the_graph_s_shapes() -> None:
    (images,) = blank(
        described(inputs=(Tensor(name="images", dtype="uint8", shape=("batch", "height", "width", 3)),)), 5
    )
    (free,) = blank(tensors(("batch", "length", 3), ("batch", 2)), 2)
    (fixed,) = blank(tensors((4, 3), (4, 2)), 2)

    assert (images.shape, images.dtype, images.any()) == ((5, 8, 8, 3), "uint8", False)
    assert (free.shape, fixed.shape) == ((2, 1, 3), (4, 3))
