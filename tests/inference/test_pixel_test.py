"""Does this host prepare images as the exporting one did? The bundle's stored images are prepared again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer import files, images, pixel_test
from lit_infer.errors import ArtifactError
from lit_infer.manifest import Manifest, Step, Tensor
from tests.inference.tiny import SIDE, described, encoded, noise
from tests.support.pixel_steps import step

FLOATS = (step(scale={}), step(resize={"size": [SIDE, SIDE], "library": "torch"}))


def stored(folder: Path, *, by: int = 0, steps: tuple[Step, ...] | None = None, **changes: Any) -> Manifest:
    """A manifest beside two stored images, whose pixels are off by so much."""
    if steps is not None:
        inputs = (Tensor(name="images", dtype="float32", shape=("batch", SIDE, SIDE, 3)),)
        changes = {"preprocess": steps, "inputs": inputs, **changes}
    plain = described(**changes)
    arrays = {}
    for index, suffix in enumerate(("PNG", "JPEG")):
        data = encoded(Image.fromarray(noise(20 + index, 17)), suffix)
        arrays[f"file_{index}"] = np.frombuffer(data, np.uint8)
        made = images.prepare(data, steps=plain.preprocess, channels=3)
        arrays[f"pixels_{index}"] = made + made.dtype.type(by)
    np.savez(folder / "pixels.npz", **arrays)  # type: ignore[arg-type]
    digest = files.sha256(folder / "pixels.npz")
    return described(**{**changes, "pixels": "pixels.npz", "pixels_sha256": digest})


def test_images_that_are_prepared_as_they_were_are_ok(tmp_path: Path) -> None:
    found = pixel_test.tested(tmp_path, stored(tmp_path))

    assert found is not None
    assert (found.images, found.max_difference, found.reason) == (2, 0.0, "")
    assert found.said == "pixels ok: 2 stored images are prepared as they were at export"


def test_one_level_of_255_is_seen_and_told_with_the_versions(tmp_path: Path) -> None:
    found = pixel_test.tested(tmp_path, stored(tmp_path, by=1))

    assert found is not None
    assert found.max_difference >= 1
    assert found.said.startswith("pixels failed: stored images are prepared otherwise here, by up to ")
    assert "exported with versions that it does not record" in found.reason


def test_the_last_bits_of_resized_floats_may_differ_and_no_more(tmp_path: Path) -> None:
    described_ = stored(tmp_path, steps=FLOATS)
    with np.load(tmp_path / "pixels.npz") as loaded:
        arrays = dict(loaded)
    for shift, is_ok in ((1e-6, True), (1e-2, False)):
        np.savez(tmp_path / "pixels.npz", **{**arrays, "pixels_0": arrays["pixels_0"] + np.float32(shift)})
        changed = described(
            preprocess=FLOATS,
            inputs=described_.inputs,
            pixels="pixels.npz",
            pixels_sha256=files.sha256(tmp_path / "pixels.npz"),
        )
        found = pixel_test.tested(tmp_path, changed)
        assert found is not None
        assert (found.reason == "") == is_ok


def test_another_size_or_dtype_is_told(tmp_path: Path) -> None:
    stored(tmp_path, steps=FLOATS)
    other = described(pixels="pixels.npz", pixels_sha256=files.sha256(tmp_path / "pixels.npz"))

    found = pixel_test.tested(tmp_path, other)

    assert found is not None
    assert found.reason == "a stored image is prepared as uint8 [8, 8, 3] here"


def test_an_image_that_cannot_be_prepared_here_fails_and_does_not_end_the_test(tmp_path: Path) -> None:
    stored(tmp_path)
    crop = (step(crop={"box": [0, 0, 500, 500]}), step(resize={"size": [SIDE, SIDE]}))
    found = pixel_test.tested(tmp_path, described(preprocess=crop, pixels="pixels.npz"))

    assert found is not None
    assert "a stored image cannot be prepared here" in found.reason
    assert "too few to crop" in found.reason


def test_a_bundle_without_stored_images_has_no_test(tmp_path: Path) -> None:
    assert pixel_test.tested(tmp_path, described()) is None


def test_another_file_or_none_is_refused(tmp_path: Path) -> None:
    described_ = stored(tmp_path)
    (tmp_path / "pixels.npz").write_bytes((tmp_path / "pixels.npz").read_bytes() + b" ")
    with pytest.raises(ArtifactError, match="is not the file that its manifest describes"):
        pixel_test.tested(tmp_path, described_)
    (tmp_path / "pixels.npz").unlink()
    with pytest.raises(ArtifactError, match=r"pixels\.npz is missing"):
        pixel_test.tested(tmp_path, described_)


@pytest.mark.parametrize("names", [(), ("file_0",), ("file_0", "pixels_0", "more")])
def test_a_file_without_images_and_what_was_made_of_them_proves_nothing(tmp_path: Path, names: tuple[str, ...]) -> None:
    np.savez(tmp_path / "pixels.npz", **{name: np.zeros(1, np.uint8) for name in names})  # type: ignore[arg-type]
    digest = files.sha256(tmp_path / "pixels.npz")

    with pytest.raises(ArtifactError, match="holds no images with what was prepared of each"):
        pixel_test.tested(tmp_path, described(pixels="pixels.npz", pixels_sha256=digest))


def test_a_name_that_leads_out_of_the_bundle_stays_inside(tmp_path: Path) -> None:
    stored(tmp_path)
    (tmp_path / "bundle").mkdir()

    with pytest.raises(ArtifactError, match=r"bundle/pixels\.npz is missing"):
        pixel_test.tested(tmp_path / "bundle", described(pixels="../pixels.npz"))
