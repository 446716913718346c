"""lit_trainer.data.image_table: images with a table of labels or values beside them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lit_infer.errors import InputError, NotFoundError, UsageError
from lit_trainer.data import ImageTableDataModule
from tests.inference.tiny import save


def folder(root: Path, count: int = 5) -> Path:
    """Images whose brightness is in the table."""
    rows = ["file_name,dark,brightness"]
    for index in range(count):
        save(root / "pictures" / f"{index}.png", np.full((9, 12, 3), 50 * index, dtype=np.uint8))
        rows.append(f"pictures/{index}.png,{int(index < 2)},{50 * index}")
    (root / "metadata.csv").write_text("\n".join(rows))
    return root


def data(root: Path, **options: object) -> ImageTableDataModule:
    return ImageTableDataModule(str(root), image_size=8, resize=8, num_workers=0, **options)  # type: ignore[arg-type]


def test_every_image_comes_with_its_numbers_in_the_order_of_the_names(tmp_path: Path) -> None:
    module = data(folder(tmp_path), names=["brightness", "dark"], batch_size=4, val_fraction=0.2)
    module.setup("fit")

    images, numbers = next(iter(module.val_dataloader()))

    assert module.labels == ("brightness", "dark")
    assert (images.shape, numbers.shape, numbers.dtype) == ((1, 3, 8, 8), (1, 2), torch.float32)
    (seen,) = images * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1) + torch.tensor([0.485, 0.456, 0.406]).view(
        3, 1, 1
    )
    assert numbers[0, 0].item() == pytest.approx(seen.mean().item() * 255, abs=0.01)


def test_without_names_all_columns_are_learnt_and_the_parts_are_disjoint(tmp_path: Path) -> None:
    module = data(folder(tmp_path), val_fraction=0.4)
    module.setup("fit")

    assert module.labels == ("dark", "brightness")
    train, val = (set(part.indices) for part in (module.train_set, module.val_set))  # type: ignore[attr-defined]
    assert (len(train), len(val), train & val) == (3, 2, set())


def test_splits_of_their_own_are_taken_as_they_are(tmp_path: Path) -> None:
    for name, count in (("train", 4), ("val", 2), ("test", 3)):
        folder(tmp_path / name, count)
    module = data(tmp_path)
    for stage in ("fit", "test"):
        module.setup(stage)

    assert [len(part) for part in (module.train_set, module.val_set, module.test_set)] == [4, 2, 3]  # type: ignore[arg-type]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"metadata\.csv or metadata\.jsonl"):
        data(tmp_path).setup("fit")
    module = data(folder(tmp_path), names=["age"])
    with pytest.raises(UsageError, match="has no column age; it has file_name, dark, brightness"):
        module.setup("fit")
    with pytest.raises(NotFoundError, match=r"no .*/test/ beside"):
        data(tmp_path).setup("test")
    with pytest.raises(UsageError, match="val_fraction 0 of 5 images leaves nothing"):
        data(tmp_path, val_fraction=0.0).setup("fit")


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (folder(tmp_path) / "pictures/3.png").write_bytes(b"")
    module = data(tmp_path)
    module.setup("fit")

    with pytest.raises(InputError, match=r"pictures/3\.png: the file is empty"):
        list(module.train_set) + list(module.val_set)  # type: ignore[call-overload]
