"""What lit-train adds to LightningCLI, run in this process: flags, checkpoints from anywhere, rows like lit-infer's."""

import functools
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_export import export
from lit_infer import artifacts, folder, load
from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from lit_trainer.checkpoints import local_checkpoint
from lit_trainer.lightning_cli import TrainCLI
from lit_trainer.modules import DigitsCNN
from tests.conftest import ROOT

BARE = [
    "--seed_everything=1",
    "--trainer.logger=false",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
]
DIGITS = ["--model=lit_trainer.modules.DigitsCNN", "--data=lit_trainer.data.DigitsDataModule", *BARE]
QUICK = [*DIGITS, "--model.width=2", "--trainer.max_steps=2", "--trainer.limit_val_batches=1"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(directory: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("argument", "meant"),
    [
        ("--trainer.max_epocs=3", "trainer.max_epochs"),
        ("--model.wdth=3", "width"),
        ("--find_batchsize=true", "find_batch_size"),
    ],
)
def test_a_typo_gives_the_nearest_option(argument: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean '{meant}'") as caught:
        TrainCLI.run(["fit", *DIGITS, argument])
    assert len(str(caught.value).splitlines()) == 1


def test_a_typo_in_a_configuration_file_gives_the_nearest_key(here: Path) -> None:
    (here / "typo.yaml").write_text("trainer: {max_epchs: 3}")
    with pytest.raises(UsageError, match=r"did you mean 'trainer\.max_epochs'"):
        TrainCLI.run(["fit", "--config=typo.yaml", *DIGITS])


@pytest.mark.slow
def test_compile_leaves_the_checkpoints_keys_as_they_are(here: Path) -> None:
    with torch._dynamo.config.patch(suppress_errors=False):
        cli = TrainCLI.run(["fit", *QUICK, "--compile=true"])
    assert cli.model._compiled_call_impl is not None
    path = cli.trainer.checkpoint_callback.best_model_path  # type: ignore[union-attr]
    keys = torch.load(path, weights_only=True)["state_dict"]
    assert not [key for key in keys if "_orig_mod" in key]
    assert DigitsCNN.load_from_checkpoint(path, weights_only=True).hparams["width"] == 2


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`:UserWarning")
def test_a_checkpoint_can_be_at_a_url(here: Path, digits_checkpoint: Path) -> None:
    with served(digits_checkpoint.parent) as url:
        TrainCLI.run(["test", *DIGITS, "--trainer.limit_test_batches=1", f"--ckpt_path={url}/{digits_checkpoint.name}"])
        fetched = local_checkpoint(f"{url}/{digits_checkpoint.name}")
        with pytest.raises(NotFoundError, match="nowhere"):
            local_checkpoint(f"{url}/nowhere.ckpt")
    assert fetched is not None
    assert fetched.read_bytes() == digits_checkpoint.read_bytes()
    with pytest.raises(ArtifactError, match="could not be downloaded"):
        local_checkpoint(f"{url}/{digits_checkpoint.name}")
    with pytest.raises(UsageError, match="gopher"):
        local_checkpoint("gopher://x/y.ckpt")


def test_a_file_that_is_no_checkpoint_is_one_line(here: Path) -> None:
    (here / "x.ckpt").write_text("hi\n")
    with pytest.raises(ArtifactError, match=r"x\.ckpt is not a checkpoint") as caught:
        TrainCLI.run(["test", *DIGITS, "--ckpt_path=x.ckpt"])
    assert len(str(caught.value).splitlines()) == 1


def test_resuming_refuses_what_would_run_code(here: Path, digits_checkpoint: Path) -> None:
    class Gadget:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (here / "touched",)

    contents = torch.load(digits_checkpoint, weights_only=True)
    torch.save({**contents, "callbacks": Gadget()}, here / "hostile.ckpt")
    with pytest.raises(ArtifactError, match="safely"):
        TrainCLI.run(["fit", *QUICK, "--ckpt_path=hostile.ckpt"])
    assert not (here / "touched").exists()


@pytest.mark.slow
def test_the_learning_rate_can_be_found(here: Path) -> None:
    cli = TrainCLI.run(["fit", *QUICK, "--find_learning_rate=true", "--trainer.max_steps=5"])
    assert cli.model.hparams["learning_rate"] != 3e-3


@pytest.mark.parametrize("logger", ["CSVLogger", "TensorBoardLogger"])
def test_other_loggers_by_configuration(here: Path, logger: str) -> None:
    arguments = [argument for argument in QUICK if "logger" not in argument]
    choice = f"--trainer.logger=lightning.pytorch.loggers.{logger}"
    TrainCLI.run(["fit", *arguments, choice, "--trainer.logger.save_dir=logs", "--trainer.log_every_n_steps=1"])
    suffix = {"CSVLogger": "metrics.csv", "TensorBoardLogger": "events.out.tfevents.*"}[logger]
    assert list((here / "logs").rglob(suffix))
    assert list((here / "logs").rglob("config.yaml"))


def test_predict_writes_the_rows_that_lit_infer_writes(here: Path, digit_images: list[Path]) -> None:
    for path in digit_images[:120]:
        (here / "photos" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, here / "photos" / path.parent.name / path.name)
    shutil.copytree(here / "photos", here / "new")
    (here / "new" / "3" / "broken.png").write_bytes(b"no image")

    data = ["--data=lit_trainer.data.ImageFolderDataModule", "--data.root=photos", "--data.image_size=24"]
    data += ["--data.resize=28", "--data.num_workers=0", "--data.predict_root=new"]
    model = ["--model=lit_trainer.modules.ImageClassifier", "--model.architecture=squeezenet1_1"]
    facts = ["--trainer.callbacks=lit_trainer.callbacks.DeploymentFacts"]
    cli = TrainCLI.run(["fit", *model, *data, *facts, *BARE, "--trainer.max_steps=2", "--trainer.log_every_n_steps=1"])
    checkpoint = Path(cli.trainer.checkpoint_callback.best_model_path)  # type: ignore[union-attr]

    (here / "published").mkdir()
    shutil.copy(checkpoint, here / "published" / "model.ckpt")
    artifacts.registry().publish(here / "published", artifacts.parse("local/photos/net"), type="model")
    TrainCLI.run(["predict", *model, *data, *BARE, "--ckpt_path", "local/photos/net:latest"])
    trained = [json.loads(line) for line in (here / "predictions.jsonl").read_text().splitlines()]

    bundle = export(artifacts.parse("local/photos/net:latest"), out=here / "bundle")
    assert not bundle.failed
    predictor = load(here / "bundle")
    summary = folder.run(
        predictor, folder.list_images([Path("new")]), top_k=5, batch_size=8, output=here / "infer.jsonl"
    )
    inferred = [json.loads(line) for line in (here / "infer.jsonl").read_text().splitlines()]

    assert summary.failed == 1
    scores = [np.array([row.pop("score") or 0.0 for row in rows]) for rows in (trained, inferred)]
    tops = [[row.pop("top") for row in rows] for rows in (trained, inferred)]
    assert trained == inferred
    np.testing.assert_allclose(*scores, atol=1e-5)
    assert [[choice["label"] for choice in top] for top in tops[0]] == [[c["label"] for c in top] for top in tops[1]]


def test_the_configurations_are_all_there() -> None:
    names = {path.stem for path in (ROOT / "configs").glob("*.yaml")}
    assert names >= {"digits", "cifar10", "mnist", "folder", "autoencoder", "gan", "sequence"}
