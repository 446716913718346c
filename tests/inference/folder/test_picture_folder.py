"""lit_infer.folder.picture_folder: images and what should be made of them."""

from pathlib import Path

import numpy as np
import pytest

from lit_infer.errors import UsageError
from lit_infer.folder.picture_folder import PictureFolder
from lit_infer.images.png import png
from tests.inference.tiny import noise, save


def test_targets_are_read_as_they_are_stored(tmp_path: Path) -> None:
    for name in "abc":
        save(tmp_path / "inputs" / f"{name}.png", noise(6, 4))
    deep = np.random.default_rng(0).integers(0, 65536, (4, 6, 1)).astype(np.uint16)
    values = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    save(tmp_path / "targets" / "a.png", noise(6, 4, seed=1))
    (tmp_path / "targets" / "b.png").write_bytes(png(deep))
    np.save(tmp_path / "targets" / "c.npy", values)

    folder = PictureFolder.of(tmp_path)

    assert np.array_equal(folder.target(0), noise(6, 4, seed=1))
    assert np.array_equal(folder.target(1), deep)
    assert np.array_equal(folder.target(2), values[:, :, None])


def test_a_damaged_target_is_named(tmp_path: Path) -> None:
    save(tmp_path / "inputs" / "a.png", noise(6, 4))
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "a.png").write_bytes(b"\x89PNG")

    with pytest.raises(UsageError, match=r"targets/a\.png cannot be used"):
        PictureFolder.of(tmp_path).target(0)
