"""What a manifest says of batches."""

from typing import Any

import numpy as np
import pytest

from lit_infer.batching.sizes import blank, check_images, fixed_batch, images_per_run, is_batched, of_size, static_batch
from lit_infer.errors import UsageError
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
        ((4, "batch"), ("batch", 2), None, False),
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
    anywhere = described(inputs=(Tensor(name="images", dtype="uint8", shape=("batch", "height", "width", 3)),))
    images = blank(anywhere, 5)["images"]
    free = blank(tensors(("batch", "length", 3), ("batch", 2)), 2)["x"]
    fixed = blank(tensors((4, 3), (4, 2)), 2)["x"]
    later = blank(tensors((1, "batch", 3), ("batch", 2)), 2)["x"]

    assert (images.shape, images.dtype, images.any()) == ((5, 8, 8, 3), "uint8", False)
    assert (free.shape, fixed.shape, later.shape) == ((2, 1, 3), (4, 3), (1, 2, 3))


def test_known_inputs_are_resized_where_their_batch_is() -> None:
    found = of_size(tensors((1, "batch", 3), ("batch", 2)), {"x": np.ones((1, 2, 3)), "other": np.ones(1)}, 5)

    assert {name: array.shape for name, array in found.items()} == {"x": (1, 5, 3)}
    assert of_size(tensors((7, 3), (7, 2)), {"x": np.ones((7, 3))}, 5)["x"].shape == (7, 3)


def joined(**changes: Any) -> Manifest:
    return described(rows="joined", **changes)


def test_joined_rows_are_never_batched_whatever_their_sides() -> None:
    assert not is_batched(joined())
    assert fixed_batch(joined()) is None
    assert images_per_run(joined(), 8) == 1
    assert images_per_run(described(), 8) == 8


def test_a_side_of_another_name_is_no_batch() -> None:
    assert not is_batched(tensors(("length", 3), ("length", 2)))


def test_images_that_come_one_by_one_are_run_one_by_one_or_not_at_all() -> None:
    fixed = joined(inputs=(Tensor(name="images", dtype="uint8", shape=(4, 8, 8, 3)),))

    check_images(described(), 8)
    check_images(joined(), 1)
    with pytest.raises(UsageError, match="so images are run one by one: leave the batch size out"):
        check_images(joined(), 8)
    with pytest.raises(UsageError, match=r"the graph takes 4 at once. Give whole batches to Predictor.run"):
        check_images(fixed, 1)
