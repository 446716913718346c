"""lit_infer.tiling: images in tiles, answered as whole ones are where both can be."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from msgspec import structs
from PIL import Image

from lit_infer import Prediction, Predictor, Tiles, load
from lit_infer.errors import UsageError
from lit_infer.images.limits import DEFAULT_LIMITS
from lit_infer.images.mapping import to_original
from lit_infer.images.preprocess import Step
from lit_infer.images.resizing import Resize
from lit_infer.manifest import Tensor
from lit_infer.tasks import Ask
from lit_infer.tiling import usual_batch
from tests.inference.tiny import SIDE, described, make_bundle, noise, save
from tests.support.box_model import make_box_bundle
from tests.support.dense_model import make_anomaly_bundle, make_picture_bundle
from tests.support.instance_model import make_instance_bundle
from tests.support.mask_model import make_mask_bundle
from tests.support.point_model import make_point_bundle

IMAGE = noise(61, 45)
AS_IT_IS = Tiles(size=SIDE, overlap=3)
"""A tile is an input of the model: nothing is resized, and each pixel is answered for itself."""


def untiled(predictor: Predictor, image: Any) -> Any:
    """What the model's graph answers for the whole image: it would take any size."""
    assert predictor.path is not None
    graph = onnx.load(predictor.path)
    for tensor in (*graph.graph.input, *graph.graph.output):
        for index, side in enumerate(tensor.type.tensor_type.shape.dim):
            if side.dim_value == SIDE:
                side.dim_param = f"{tensor.name}_{index}"
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {"images": image[None]})
    way = to_original([], image.shape[1], image.shape[0])
    (answer,) = predictor.manifest.spec.read(outputs, [Ask(way=way)], predictor.manifest.reading)
    return answer


def tiled(make: Callable[..., Path], folder: Path, tiles: Tiles = AS_IT_IS, **changes: Any) -> Predictor:
    return load(make(folder / "bundle", **changes), device="cpu", tiles=tiles)


def answer_of(predictor: Predictor, item: Any = IMAGE) -> Any:
    (found,) = predictor.predict([item])
    assert found.error is None, found.error
    return found.answer


@pytest.mark.parametrize("merge", ["mean", "centre"])
def test_a_mask_is_that_of_the_whole_image(tmp_path: Path, merge: Any) -> None:
    with tiled(make_mask_bundle, tmp_path, structs.replace(AS_IT_IS, merge=merge)) as model:
        found, whole = answer_of(model), untiled(model, IMAGE)

    np.testing.assert_array_equal(found.mask, whole.mask)
    assert found.areas == whole.areas
    assert found.outside == 0
    assert found.confidence == pytest.approx(whole.confidence, abs=1e-5)


@pytest.mark.parametrize("merge", ["mean", "centre"])
def test_a_picture_is_that_of_the_whole_image(tmp_path: Path, merge: Any) -> None:
    with tiled(make_picture_bundle, tmp_path, structs.replace(AS_IT_IS, merge=merge)) as model:
        found, whole = answer_of(model), untiled(model, IMAGE)

    np.testing.assert_array_equal(found.image, whole.image)
    assert (found.width, found.height, found.outside) == (61, 45, 0)
    assert (found.min, found.max) == pytest.approx((whole.min, whole.max), abs=1e-6)
    assert found.mean == pytest.approx(whole.mean, abs=0.02 if merge == "mean" else 1e-6)


@pytest.mark.parametrize("merge", ["max", "mean"])
def test_a_map_is_that_of_the_whole_image_and_the_score_that_of_the_worst_tile(tmp_path: Path, merge: Any) -> None:
    with tiled(make_anomaly_bundle, tmp_path, structs.replace(AS_IT_IS, merge=merge)) as model:
        found, whole = answer_of(model), untiled(model, IMAGE)

    np.testing.assert_allclose(found.map, whole.map, atol=1e-6)
    assert (found.score, found.is_anomalous) == (whole.score, whole.is_anomalous)


def test_boxes_lie_where_their_tile_does(tmp_path: Path) -> None:
    image = np.zeros((SIDE, 3 * SIDE, 3), np.uint8)
    image[:, SIDE:, 1] = 250
    with tiled(make_box_bundle, tmp_path, Tiles(size=SIDE, overlap=0)) as model:
        found = answer_of(model, image)

    assert [(one.label, one.box) for one in found.boxes] == [
        ("green", (9.0, 2.0, 15.0, 6.0)),
        ("green", (17.0, 2.0, 23.0, 6.0)),
    ]
    assert (found.width, found.height) == (24, 8)


def test_masks_of_instances_lie_where_their_tile_does(tmp_path: Path) -> None:
    image = np.full((SIDE, 2 * SIDE, 3), 250, np.uint8)
    with tiled(make_instance_bundle, tmp_path, Tiles(size=SIDE, overlap=0)) as model:
        found = answer_of(model, image)
        (alone,) = model.predict([image[:, :SIDE]])

    assert len(found.boxes) == 2
    small = alone.answer.boxes[0].segmentation.mask()
    for one in found.boxes:
        left = int(one.box[0]) - 1
        mask = one.segmentation.mask()
        np.testing.assert_array_equal(mask[:, left : left + SIDE], small)
        assert one.area == mask.sum() == small.sum()
    assert found.mask.shape == (SIDE, 2 * SIDE)


def test_an_image_of_one_tile_has_the_answer_that_it_has_without(tmp_path: Path) -> None:
    path = make_mask_bundle(tmp_path / "bundle")
    with load(path, device="cpu") as model, load(path, device="cpu", tiles=Tiles(size=64)) as in_tiles:
        (whole,), (found,) = model.predict([IMAGE]), in_tiles.predict([IMAGE])

    assert found == whole
    assert found.answer.confidence == pytest.approx(whole.answer.confidence)


def test_a_tile_is_prepared_as_an_image_would_be(tmp_path: Path) -> None:
    image = np.repeat(np.repeat(noise(6, 4), SIDE, 0), SIDE, 1)
    with tiled(make_mask_bundle, tmp_path, Tiles(size=16, overlap=0)) as model:
        found = answer_of(model, image)  # 16 pixels become 8, the nearest ones

    np.testing.assert_array_equal(found.mask, image.argmax(-1))


def test_the_facts_of_the_model_say_how_and_the_caller_otherwise(tmp_path: Path) -> None:
    path = make_mask_bundle(tmp_path / "bundle", tiles=Tiles(size=SIDE, overlap=2, merge="centre"))

    with load(path, device="cpu") as model:
        assert model.tiles_words() == "8 x 8 pixels that overlap by 2 or more, merged by centre"
        np.testing.assert_array_equal(answer_of(model).mask, IMAGE.argmax(-1))
    with load(path, device="cpu", tiles=False) as model:
        assert model.tiles is None
        assert (answer_of(model).mask != IMAGE.argmax(-1)).any()
    with load(path, device="cpu", tiles=Tiles(size=16)) as model:
        assert model.tiles_words() == "16 x 16 pixels that overlap by 2 or more, merged by centre"


def test_what_has_no_parts_that_make_a_whole_is_refused(tmp_path: Path) -> None:
    for number, make in enumerate((make_bundle, make_point_bundle)):
        with pytest.raises(UsageError, match=r"tiles are not for task .*: answers for parts of an image"):
            load(make(tmp_path / str(number)), tiles=AS_IT_IS)
    with pytest.raises(UsageError, match="are merged by mean or centre, not nms"):
        load(make_mask_bundle(tmp_path / "masks"), tiles=Tiles(size=8, merge="nms"))
    with tiled(make_mask_bundle, tmp_path) as model, pytest.raises(UsageError, match="has no output of its own"):
        model.predict([IMAGE], output=True)


def test_images_share_batches_and_a_bad_one_is_no_matter_to_others(tmp_path: Path) -> None:
    damaged = save(tmp_path / "b.png", IMAGE)
    damaged.write_bytes(damaged.read_bytes()[:-900])
    items = [IMAGE, damaged, IMAGE[:30], tmp_path / "none.png", IMAGE[:, :20], IMAGE]
    with tiled(make_mask_bundle, tmp_path) as model:
        found = list(model.stream(items, batch_size=4, timings=True))
        submitted = [model.submit(item).result() for item in items]
        few = model.predict(items, limits=replace(DEFAULT_LIMITS, max_pixels=61 * 45 - 1))

    assert [one.code for one in found] == [None, "undecodable", None, "not_found", None, None]
    for one, item in zip(found, items, strict=True):
        if isinstance(item, np.ndarray):
            np.testing.assert_array_equal(one.mask, item.argmax(-1))
            assert one.timings is not None
            assert one.timings.infer_ms > 0
    assert submitted == found
    assert [one.code for one in few][:3] == ["too_many_pixels", "too_many_pixels", None]
    assert "raise --max-pixels" in str(few[0].error)


def test_an_image_smaller_than_a_tile_that_the_steps_do_not_fit_says_so(tmp_path: Path) -> None:
    steps = (Step(resize=Resize(size=SIDE)),)  # the shorter side: a tile is square
    with tiled(make_mask_bundle, tmp_path, Tiles(size=16), preprocess=steps) as model:
        wide: Prediction = model.predict([IMAGE[:10]])[0]
        square = model.predict([IMAGE])[0]

    assert square.error is None
    assert wide.code == "bad_shape"
    assert "smaller than a tile: pad it, or give smaller tiles" in str(wide.error)


def test_a_tiff_in_strips_has_the_answer_of_its_pixels(tmp_path: Path) -> None:
    pixels = noise(64, 300)
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with tiled(make_mask_bundle, tmp_path) as model:
        np.testing.assert_array_equal(answer_of(model, tmp_path / "a.tif").mask, pixels.argmax(-1))


def test_of_large_tiles_fewer_are_run_together(tmp_path: Path) -> None:
    def of(side: int, classes: int) -> int:
        image = Tensor(name="images", dtype="uint8", shape=("batch", side, side, 3))
        scores = Tensor(name="scores", dtype="float32", shape=("batch", classes, side, side))
        task = {"task": "image-segmentation", "labels": None, "preprocess": ()}
        return usual_batch(described(inputs=(image,), outputs=(scores,), **task))

    assert [of(side, 2) for side in (256, 512, 1024)] == [8, 2, 1]
    assert [of(512, classes) for classes in (3, 11)] == [2, 1]
    with tiled(make_mask_bundle, tmp_path) as model:
        assert model.batch_size == 8


_GROWN = """
import resource, sys
from lit_infer import Limits, Tiles, load

model, *images = sys.argv[1:]
peaks = []
with load(model, device="cpu", tiles=Tiles(size=512), limits=Limits(max_bytes=2**30)) as opened:
    for image in images:
        (found,) = opened.predict([image])
        assert found.error is None, found.error
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(peaks[-1] - peaks[0])
"""


@pytest.mark.slow  # 36 million pixels are written and read
def test_a_tiff_in_strips_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    model, side = make_box_bundle(tmp_path / "bundle"), 6000
    for name, rows in (("small.tif", 600), ("large.tif", side)):
        Image.fromarray(np.tile(noise(side, 60), (rows // 60, 1, 1))).save(tmp_path / name)

    line = [sys.executable, "-c", _GROWN, str(model), str(tmp_path / "small.tif"), str(tmp_path / "large.tif")]
    done = subprocess.run(line, capture_output=True, text=True, check=True)

    assert int(done.stdout) * 1024 < side * side  # a third of its pixels
