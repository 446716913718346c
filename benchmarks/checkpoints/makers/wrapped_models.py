"""LightningModules around other packages as their documentation writes them, and two packages' own modules."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytorch_lightning as old_pl
import torch
from anomalib.data import Folder
from anomalib.engine import Engine
from anomalib.models import Padim
from glue_module import GLUETransformer
from lightly_module import SimCLR
from PIL import Image
from record import QUIET, answers_of, record
from smp_module import CamVidModel
from torch.utils.data import DataLoader, TensorDataset
from torch_uncertainty.routines import ClassificationRoutine
from torchgeo.trainers import SemanticSegmentationTask
from transformers import BertConfig
from uncertainty_user import packed

torch.manual_seed(0)


def fit(package: Any, module: Any, train: Any, later: Any = None) -> str:
    """Two batches by that package's Trainer; the file that its ModelCheckpoint wrote."""
    checkpoint = package.callbacks.ModelCheckpoint(tempfile.mkdtemp())
    limits: dict[str, Any] = {"max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 1}
    package.Trainer(accelerator="cpu", callbacks=[checkpoint], **limits, **QUIET).fit(module, train, later)
    return str(checkpoint.best_model_path)


def smp() -> None:
    data = DataLoader(TensorDataset(torch.rand(8, 3, 64, 64), torch.randint(0, 4, (8, 64, 64))), batch_size=4)
    path = fit(old_pl, CamVidModel("FPN", "resnet18", 3, 4), data, data)
    held = {"image": torch.rand(2, 3, 64, 64)}
    answers = answers_of(CamVidModel.load_from_checkpoint(path), **held)
    record(
        "smp-fpn",
        "segmentation-models-pytorch",
        path,
        proof={"image": torch.rand(8, 3, 64, 64)},
        held=held,
        answers=answers,
    )


def lightly() -> None:
    views = [((image, image + 0.1 * torch.rand_like(image)), 0) for image in torch.rand(8, 3, 32, 32)]
    path = fit(old_pl, SimCLR(), DataLoader(views, batch_size=4))
    held = {"x": torch.rand(3, 3, 32, 32)}
    answers = answers_of(SimCLR.load_from_checkpoint(path), **held)
    record("lightly-simclr", "lightly", path, proof={"x": torch.rand(8, 3, 32, 32)}, held=held, answers=answers)


def sentences(count: int) -> list[dict[str, torch.Tensor]]:
    """Token ids with padding of several lengths."""
    lengths = torch.randint(4, 16, (count,))
    masks = (torch.arange(16) < lengths[:, None]).long()
    ids, types = torch.randint(1, 300, (count, 16)) * masks, torch.randint(0, 2, (count, 16))
    keys = ("input_ids", "attention_mask", "token_type_ids", "labels")
    return [dict(zip(keys, row, strict=True)) for row in zip(ids, masks, types, lengths % 2, strict=True)]


def glue() -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=300, max_position_embeddings=32, num_labels=2, **sizes)
    data = DataLoader(sentences(8), batch_size=4)
    path = fit(pl, GLUETransformer(config, 2), data, data)
    loaded = GLUETransformer.load_from_checkpoint(path, weights_only=False)
    proof, held = (next(iter(DataLoader(sentences(count), batch_size=count))) for count in (32, 5))
    del proof["labels"], held["labels"]
    record("transformers-bert", "transformers", path, proof=proof, held=held, answers=dict(answers_of(loaded, **held)))


def torchgeo() -> None:
    images, masks = torch.rand(8, 4, 64, 64), torch.randint(0, 3, (8, 64, 64))
    rows = [{"image": image, "mask": mask} for image, mask in zip(images, masks, strict=True)]
    data = DataLoader(rows, batch_size=4)
    task = SemanticSegmentationTask("unet", "resnet18", in_channels=4, num_classes=3)
    task.on_after_batch_transfer = lambda batch, _: batch  # its data modules' augmentation asks for the trainer's
    path = fit(pl, task, data, data)
    held = {"x": torch.rand(2, 4, 64, 64)}
    answers = answers_of(SemanticSegmentationTask.load_from_checkpoint(path), **held)
    record("torchgeo-unet", "torchgeo", path, proof={"x": images}, held=held, answers=answers)


def uncertainty() -> None:
    data = DataLoader(TensorDataset(torch.rand(8, 3, 32, 32), torch.randint(0, 3, (8,))), batch_size=4)
    path = fit(pl, packed(), data)
    loaded: ClassificationRoutine = packed()
    loaded.load_state_dict(torch.load(path)["state_dict"])
    held = {"inputs": torch.rand(2, 3, 32, 32)}
    answers = answers_of(loaded, **held)
    mean = answers.reshape(2, 2, 3).mean(0)  # of the two estimates, as the adapter answers
    record(
        "torch-uncertainty-packed",
        "torch-uncertainty",
        path,
        proof={"inputs": torch.rand(8, 3, 32, 32)},
        held=held,
        answers={"mean": mean, "all": answers},
    )


def anomalib() -> None:
    root, noise = Path(tempfile.mkdtemp()), np.random.default_rng(0)
    for part, count in (("good", 12), ("bad", 6)):
        (root / part).mkdir()
        for index in range(count):
            pixels = noise.normal(128, 10, (64, 64, 3))
            pixels[20:40, 20:40] += 90 * (part == "bad")
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / part / f"{index}.png")
    data = Folder("toy", "good", root, "bad", train_batch_size=4, eval_batch_size=6, num_workers=0)
    engine = Engine(default_root_dir=root / "results", accelerator="cpu", max_epochs=1, enable_progress_bar=False)
    engine.fit(Padim(layers=["layer1", "layer2"], pre_trained=False, n_features=20), datamodule=data)
    path = str(engine.best_model_path)
    proof, held = (next(iter(loader())).image for loader in (data.train_dataloader, data.test_dataloader))
    answers = answers_of(Padim.load_from_checkpoint(path), held)
    record("anomalib-padim", "anomalib", path, proof={"batch": proof}, held={"batch": held}, answers=answers)


MODELS = (smp, lightly, glue, torchgeo, uncertainty, anomalib)
for make in (m for m in MODELS if not sys.argv[1:] or m.__name__ in sys.argv[1:]):
    make()
