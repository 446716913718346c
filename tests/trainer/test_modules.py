"""lit_trainer.modules: each is trained, tested, asked for predictions, saved and loaded; then what is special to it."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import lit_trainer.modules
from lit_infer.errors import UsageError
from lit_trainer.modules import (
    GAN,
    AutoEncoder,
    CifarCNN,
    DigitsCNN,
    ImageClassifier,
    MnistMLP,
    SequenceTagger,
    TabularClassifier,
    TabularRegressor,
)
from lit_trainer.modules.image_network import make_network, replace_head

Loader = DataLoader[tuple[Tensor, ...]]


class Small(nn.Module):
    """A network of one's own for images of 3x8x8."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 10))

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


def pictures(*shape: int, count: int = 16) -> Loader:
    """Images in [-1, 1] that differ by class: a bright row per class, in noise."""
    classes = torch.arange(count) % 10
    images = torch.rand(count, *shape, generator=torch.Generator().manual_seed(0)) * 0.5 - 1
    images[torch.arange(count), :, classes % shape[1]] += 1.5
    return DataLoader(TensorDataset(images, classes), batch_size=8)


def sequences(count: int = 16, length: int = 20) -> Loader:
    """The tag of a token is the parity of the tokens so far: nothing that a module without memory could know."""
    tokens = torch.randint(2, (count, length), generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(tokens, tokens.cumsum(dim=1) % 2), batch_size=8)


def measurements(count: int = 16) -> Loader:
    """The class is whether a row's sum is above 0."""
    rows = torch.randn(count, 4, generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(rows, (rows.sum(1) > 0).long()), batch_size=8)


def sums(count: int = 16) -> Loader:
    """The number is the sum of a row, in hundreds."""
    rows = torch.randn(count, 4, generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(rows, rows.sum(1, keepdim=True) * 100), batch_size=8)


Case = tuple[Callable[[], pl.LightningModule], Loader, str, torch.Size]
CASES: dict[str, Case] = {
    "digits": (lambda: DigitsCNN(width=4), pictures(1, 8, 8), "train_loss", torch.Size([8, 10])),
    "classifier": (
        lambda: ImageClassifier("resnet18", label_smoothing=0.1, warmup_steps=2),
        pictures(3, 16, 16),
        "train_loss",
        torch.Size([8, 10]),
    ),
    "cifar": (CifarCNN, pictures(3, 32, 32), "train_loss", torch.Size([8, 10])),
    "mlp": (MnistMLP, pictures(1, 28, 28), "train_loss", torch.Size([8, 10])),
    "autoencoder": (AutoEncoder, pictures(1, 28, 28), "train_loss", torch.Size([8, 3])),
    "gan": (lambda: GAN(hidden=8), pictures(1, 28, 28), "d_loss", torch.Size([8, 1, 28, 28])),
    "table": (lambda: TabularClassifier(4), measurements(), "train_loss", torch.Size([8, 2])),
    "numbers": (lambda: TabularRegressor(4, 0.0, 200.0), sums(), "train_loss", torch.Size([8, 1])),
    "tagger": (lambda: SequenceTagger(2, 2, chunk=8), sequences(), "train_loss", torch.Size([8, 20])),
}


class Losses(Callback):
    """What a metric was at the end of every epoch."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: list[float] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.values.append(float(trainer.callback_metrics[self.name]))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for each other make these small networks slower, and tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., pl.Trainer]:
    def make(**options: Any) -> pl.Trainer:
        pl.seed_everything(3, verbose=False)
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        loops = {"enable_checkpointing": False, "log_every_n_steps": 1}
        return pl.Trainer(**{"accelerator": "cpu", "default_root_dir": tmp_path, **quiet, **loops, **options})

    return make


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_it_trains_tests_predicts_saves_and_loads(
    case: Case, trainer: Callable[..., pl.Trainer], tmp_path: Path
) -> None:
    make, loader, loss, shape = case
    losses = Losses(loss)
    runner = trainer(max_epochs=6, callbacks=[losses])
    module = make()
    runner.fit(module, loader, loader)
    assert losses.values[-1] < losses.values[0]
    assert any(name.startswith("val_") for name in runner.callback_metrics)
    assert all(name.startswith("test_") for name in runner.test(module, loader, verbose=False)[0])

    runner.save_checkpoint(tmp_path / "it.ckpt")
    loaded = type(module).load_from_checkpoint(tmp_path / "it.ckpt", weights_only=True)
    assert dict(loaded.hparams) == dict(module.hparams)
    assert _plain(dict(module.hparams))
    answers = [_predicted(trainer(), each, loader) for each in (module, loaded)]
    assert answers[0].shape == shape
    assert torch.equal(*answers)


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(each) for key, each in value.items())
    if isinstance(value, tuple):
        return all(map(_plain, value))
    return isinstance(value, bool | int | float | str)


def _predicted(runner: pl.Trainer, module: pl.LightningModule, loader: Loader) -> Tensor:
    batches = runner.predict(module, loader)
    assert batches is not None
    return batches[0]  # type: ignore[return-value]


def test_it_predicts_inputs_that_come_without_truth(case: Case) -> None:
    make, loader, _, shape = case
    pl.seed_everything(3, verbose=False)
    module = make().eval()
    inputs, truth = next(iter(loader))
    with torch.no_grad():
        torch.manual_seed(0)
        with_truth = module.predict_step((inputs, truth), 0)
        torch.manual_seed(0)
        assert torch.equal(module.predict_step(inputs, 0), with_truth)
    assert with_truth.shape == shape


def test_classifiers_log_what_the_issue_names(trainer: Callable[..., pl.Trainer]) -> None:
    runner = trainer(max_epochs=1)
    module, loader = MnistMLP(), pictures(1, 28, 28)
    runner.fit(module, loader, loader)
    steps = {f"train_{what}_{when}" for what in ("loss", "acc") for when in ("step", "epoch")}
    assert steps | {"train_loss", "train_acc", "val_loss", "val_acc"} <= runner.callback_metrics.keys()
    assert steps | {"val_loss", "val_acc"} <= runner.progress_bar_metrics.keys()
    runner.test(module, loader, verbose=False)
    assert runner.progress_bar_metrics.keys() == {"test_loss", "test_acc"}


def test_the_names_are_sorted_and_all_there() -> None:
    names = lit_trainer.modules.__all__
    assert sorted(names, key=lambda name: (not name.isupper(), name)) == names
    assert all(hasattr(lit_trainer.modules, name) for name in names)


def test_digits_cnn_keeps_the_weights_that_its_checkpoints_hold() -> None:
    assert all(name.startswith("network.") for name in DigitsCNN().state_dict())
    assert sum(parameter.numel() for parameter in DigitsCNN().parameters()) == 56_242


# CifarCNN and MnistMLP: the layers


def test_cifar_cnn_has_the_layers_it_promises() -> None:
    module = CifarCNN()
    convolutions = [layer for layer in module.features if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [32, 32, 64, 64]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in module.features) == 2
    assert _linear(module) == [(1600, 512), (512, 128), (128, 10)]
    assert module.configure_optimizers().param_groups[0]["lr"] == 2e-4


def test_cifar_cnn_measures_its_flattened_size() -> None:
    module = CifarCNN(num_classes=3, input_shape=(1, 28, 40))
    assert _linear(module)[0][0] == 64 * 4 * 7
    assert torch.allclose(module(torch.rand(2, 1, 28, 40)).exp().sum(dim=1), torch.ones(2))
    assert all(parameter.grad is None for parameter in module.parameters())


def test_mnist_mlp_has_the_layers_it_promises() -> None:
    assert _linear(MnistMLP()) == [(784, 128), (128, 256), (256, 10)]
    assert _linear(MnistMLP(n_layer_1=5, n_layer_2=6, num_classes=7)) == [(784, 5), (5, 6), (6, 7)]
    assert torch.allclose(MnistMLP()(torch.rand(2, 1, 28, 28)).exp().sum(dim=1), torch.ones(2))


def _linear(module: nn.Module) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in module.modules() if isinstance(layer, nn.Linear)]


# AutoEncoder


def test_auto_encoder_has_the_layers_it_promises_and_embeds() -> None:
    module = AutoEncoder()
    assert _linear(module.encoder) == [(784, 64), (64, 3)]
    assert _linear(module.decoder) == [(3, 64), (64, 784)]
    images = torch.rand(5, 1, 28, 28)
    assert torch.equal(module(images), module.encoder(images.flatten(1)))
    assert module.reconstruct(images).shape == images.shape


@pytest.mark.parametrize(
    ("part", "sample"),
    [
        (AutoEncoder().encoder, torch.rand(2, 1, 28, 28)),
        (AutoEncoder().decoder, torch.rand(2, 3)),
        (GAN(hidden=8).generator, torch.rand(2, 100)),
    ],
    ids=["encoder", "decoder", "generator"],
)
def test_a_part_can_be_exported_on_its_own(part: nn.Module, sample: Tensor) -> None:
    part = part.eval()
    program = torch.export.export(part, (sample,), strict=False).module()
    traced = torch.jit.trace(part, sample)
    with torch.no_grad():
        assert torch.allclose(program(sample), part(sample), atol=1e-6)
        assert torch.allclose(traced(sample), part(sample), atol=1e-6)


# GAN


class Turns(Callback):
    """Which of the two networks a turn changed, and whether it left gradients switched on."""

    def __init__(self, module: GAN) -> None:
        self.changed: list[tuple[str, bool, bool]] = []
        for turn in ("discriminator_turn", "generator_turn"):
            setattr(module, turn, self._watched(module, turn, getattr(module, turn)))

    def _watched(self, module: GAN, turn: str, run: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def watched(*arguments: Any) -> Tensor:
            before = [_weights(part) for part in (module.discriminator, module.generator)]
            loss = run(*arguments)
            after = [_weights(part) for part in (module.discriminator, module.generator)]
            discriminator, generator = (not torch.equal(*pair) for pair in zip(before, after, strict=True))
            self.changed.append((turn, discriminator, generator))
            assert all(parameter.requires_grad for parameter in module.parameters())
            return loss

        return watched


def _weights(module: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten().clone() for parameter in module.parameters()])


def test_gan_each_turn_changes_its_own_network_only(trainer: Callable[..., pl.Trainer]) -> None:
    module = GAN(hidden=8)
    turns = Turns(module)
    runner = trainer(max_epochs=1)
    runner.fit(module, pictures(1, 28, 28), pictures(1, 28, 28))
    assert turns.changed == [("discriminator_turn", True, False), ("generator_turn", False, True)] * 2
    assert runner.global_step == 4
    assert {"d_loss", "g_loss", "val_d_loss", "val_g_loss", "val_d_acc"} <= runner.callback_metrics.keys()
    assert {"d_loss", "g_loss"} <= runner.progress_bar_metrics.keys()


def test_gan_no_gradient_is_computed_for_the_one_whose_turn_it_is_not(trainer: Callable[..., pl.Trainer]) -> None:
    class Watched(GAN):
        def manual_backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
            super().manual_backward(loss, *args, **kwargs)
            self.trained = [parameter.requires_grad for parameter in self.generator.parameters()]
            assert len(set(self.trained)) == 1
            assert any(parameter.requires_grad for parameter in self.discriminator.parameters()) != self.trained[0]

    trainer(max_epochs=1).fit(Watched(hidden=8), pictures(1, 28, 28), pictures(1, 28, 28))


def test_gan_evaluation_steps_nothing_and_repeats_itself(trainer: Callable[..., pl.Trainer]) -> None:
    module, loader = GAN(hidden=8), pictures(1, 28, 28)
    before = _weights(module)
    scores = [trainer().validate(module, loader, verbose=False) for _ in range(2)]
    assert scores[0] == scores[1]
    assert torch.equal(before, _weights(module))


def test_gan_images_are_in_range_and_shape() -> None:
    images = GAN(hidden=8, image_shape=(3, 16, 16))(torch.randn(4, 100))
    assert images.shape == (4, 3, 16, 16)
    assert images.abs().max() <= 1


# SequenceTagger


def test_tagger_state_crosses_chunks_and_gradients_do_not(trainer: Callable[..., pl.Trainer]) -> None:
    states: list[tuple[Tensor | None, Tensor]] = []

    class Watched(SequenceTagger):
        def advance(self, tokens: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
            logits, after = super().advance(tokens, state)
            if torch.is_grad_enabled():
                states.append((state, after))
            return logits, after

    runner = trainer(max_epochs=1)
    runner.fit(Watched(2, 2, chunk=8), sequences(count=8), sequences(count=8))
    assert runner.global_step == len(states) == 3  # 20 tokens: 8 + 8 + 4
    (first, after_first), (second, after_second), (third, _) = states
    assert first is None
    assert second is not None
    assert third is not None
    assert torch.equal(second, after_first)  # the state goes on
    assert torch.equal(third, after_second)
    assert not torch.equal(third, torch.zeros_like(third))
    assert (second.grad_fn, third.grad_fn) == (None, None)  # and the gradient stops
    assert after_first.grad_fn is not None


def test_tagger_chunks_are_invisible_outside_training() -> None:
    pl.seed_everything(3, verbose=False)
    module = SequenceTagger(5, 3).eval()
    tokens = torch.randint(5, (2, 20))
    with torch.no_grad():
        first, state = module.advance(tokens[:, :7], None)
        second, _ = module.advance(tokens[:, 7:], state)
        assert torch.allclose(torch.cat([first, second], dim=1), module(tokens), atol=1e-6)


def test_tagger_learns_what_needs_memory(trainer: Callable[..., pl.Trainer]) -> None:
    module = SequenceTagger(2, 2, embedding=8, hidden=32, chunk=5)
    runner = trainer(max_epochs=80)
    loader = sequences()
    runner.fit(module, loader, loader)
    assert runner.test(module, loader, verbose=False)[0]["test_acc"] > 0.95


# ImageClassifier: networks


@pytest.mark.parametrize(
    "architecture",
    ["resnet18", "mobilenet_v3_small", "efficientnet_b0", "squeezenet1_1", "densenet121", "googlenet", "inception_v3"],
)
def test_any_architecture_gives_the_classes_asked_for(architecture: str) -> None:
    module = ImageClassifier(architecture, num_classes=7)  # in training mode, where two of them give more than logits
    side = 75 if architecture == "inception_v3" else 64
    assert module(torch.rand(2, 3, side, side)).shape == (2, 7)


@pytest.mark.parametrize("architecture", ["vit_b_16", "swin_t", "vgg11", "maxvit_t", "convnext_tiny", "mnasnet0_5"])
def test_the_head_is_found_in_every_family(architecture: str) -> None:
    with torch.device("meta"):  # no memory, no arithmetic
        network = make_network(architecture, num_classes=1000)
        replace_head(network, 7)
        expected = make_network(architecture, num_classes=7)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in expected.state_dict().items()}


def test_an_unknown_architecture_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="no classifier resnet8; nearest: resnet18"):
        ImageClassifier("resnet8")
    with pytest.raises(UsageError, match="nearest: efficientnet_b0"):
        ImageClassifier("EfficientNet-B0")


@pytest.fixture
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torchvision looks before it downloads."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_pretrained_weights_get_a_head_of_the_classes_asked_for(
    torch_home: Path, trainer: Callable[..., pl.Trainer], tmp_path: Path
) -> None:
    import torchvision

    published = torchvision.models.squeezenet1_1()
    file = torch_home / Path(torchvision.models.SqueezeNet1_1_Weights.DEFAULT.url).name
    torch.save(published.state_dict(), file)

    whole = ImageClassifier("squeezenet1_1", num_classes=1000, pretrained=True)
    assert all(torch.equal(tensor, whole.network.state_dict()[name]) for name, tensor in published.state_dict().items())
    module = ImageClassifier("squeezenet1_1", num_classes=3, pretrained="IMAGENET1K_V1")
    assert torch.equal(module.network.features[0].weight, published.features[0].weight)  # type: ignore[index,union-attr]
    images = torch.rand(2, 3, 64, 64)
    assert module(images).shape == (2, 3)

    file.unlink()  # loading needs neither the file nor a network
    runner = trainer()
    runner.strategy.connect(module)
    runner.save_checkpoint(tmp_path / "it.ckpt")
    loaded = ImageClassifier.load_from_checkpoint(tmp_path / "it.ckpt", weights_only=True)
    assert torch.equal(loaded.eval()(images), module.eval()(images))


def test_pretrained_googlenet_gives_logits_and_the_same_after_loading(torch_home: Path) -> None:
    import torchvision

    published = torchvision.models.googlenet(init_weights=False)
    torch.save(published.state_dict(), torch_home / Path(torchvision.models.GoogLeNet_Weights.DEFAULT.url).name)
    module = ImageClassifier("googlenet", num_classes=3, pretrained=True)
    again = ImageClassifier("googlenet", num_classes=3)
    again.load_state_dict(module.state_dict())
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(again.eval()(images), module.eval()(images))
    assert module.train()(images).shape == (2, 3)


def test_unknown_weights_name_those_there_are() -> None:
    with pytest.raises(ValueError, match="no pretrained weights IMAGENET22K; there are: IMAGENET1K_V1, IMAGENET1K_V2"):
        ImageClassifier("resnet50", pretrained="IMAGENET22K")


def test_weights_that_cannot_be_downloaded_say_what_to_do(torch_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import urllib.request
    from urllib.error import URLError

    def unreachable(*args: Any, **kwargs: Any) -> None:
        raise URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    with pytest.raises(UsageError, match=r"cannot download .* no network. Start with pretrained: false"):
        ImageClassifier("squeezenet1_1", pretrained=True)


def test_a_network_and_a_criterion_of_ones_own(trainer: Callable[..., pl.Trainer], tmp_path: Path) -> None:
    criterion = nn.CrossEntropyLoss(weight=torch.linspace(1, 2, 10))
    module = ImageClassifier(network=Small(), criterion=criterion, scheduler="none")
    runner = trainer(max_epochs=2)
    loader = pictures(3, 8, 8)
    runner.fit(module, loader, loader)
    runner.save_checkpoint(tmp_path / "it.ckpt")
    assert not {"network", "criterion"} & module.hparams.keys()

    images, classes = next(iter(loader))
    assert torch.equal(module.loss(module(images), classes), criterion(module(images), classes))
    loaded = ImageClassifier.load_from_checkpoint(tmp_path / "it.ckpt", weights_only=True, network=Small())
    assert torch.equal(loaded(images), module(images))
    trainer(max_epochs=3).fit(
        ImageClassifier(network=Small(), criterion=nn.CrossEntropyLoss(weight=torch.ones(10)), scheduler="none"),
        loader,
        loader,
        ckpt_path=tmp_path / "it.ckpt",
        weights_only=True,
    )
    with pytest.raises(UsageError, match=r"no classifier Small; .* given as a module: network"):
        ImageClassifier.load_from_checkpoint(tmp_path / "it.ckpt", weights_only=True)


def test_labels_are_smoothed_in_training_only() -> None:
    module = ImageClassifier(network=Small(), label_smoothing=0.1)
    logits, classes = torch.randn(4, 10), torch.arange(4)
    smoothed = module.loss(logits, classes)
    assert torch.equal(smoothed, nn.functional.cross_entropy(logits, classes, label_smoothing=0.1))
    assert torch.equal(module.eval().loss(logits, classes), nn.functional.cross_entropy(logits, classes))
    with pytest.raises(ValueError, match="set it in your own"):
        ImageClassifier(network=Small(), label_smoothing=0.1, criterion=nn.CrossEntropyLoss())


# ImageClassifier: optimizers and schedules


class Rates(Callback):
    """The learning rate of every step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self.values.append(trainer.optimizers[0].param_groups[0]["lr"])


def _rates(make: Callable[..., pl.Trainer], epochs: int = 6, **options: Any) -> list[float]:
    rates = Rates()
    module = ImageClassifier(network=Small(), **{"learning_rate": 0.5, **options})
    loader = pictures(3, 8, 8)
    make(max_epochs=epochs, callbacks=[rates], limit_val_batches=0).fit(module, loader, loader)
    return rates.values  # two steps an epoch


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("scheduler", ["none", "step", "cosine", "one_cycle"])
@pytest.mark.parametrize("warmup_steps", [0, 1, 4])
def test_every_optimizer_goes_with_every_schedule(
    trainer: Callable[..., pl.Trainer], optimizer: str, scheduler: str, warmup_steps: int
) -> None:
    options = {"optimizer": optimizer, "scheduler": scheduler, "warmup_steps": warmup_steps}
    rates = _rates(trainer, **options)
    assert len(rates) == 12
    assert max(rates) == pytest.approx(0.5, rel=0.01)  # the peak may lie between two steps


@pytest.mark.parametrize("scheduler", ["none", "step", "cosine"])
def test_warm_up_rises_linearly_to_the_learning_rate(trainer: Callable[..., pl.Trainer], scheduler: str) -> None:
    rates = _rates(trainer, scheduler=scheduler, warmup_steps=4)
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert max(rates[5:]) <= 0.5


def test_the_schedules_have_their_shapes(trainer: Callable[..., pl.Trainer]) -> None:
    assert _rates(trainer, scheduler="none") == [0.5] * 12
    stepped = [0.5] * 4 + [0.05] * 4 + [0.005] * 4
    assert _rates(trainer, scheduler="step", step_size=2) == pytest.approx(stepped)
    cosine = [0.25 * (1 + math.cos(math.pi * step / 12)) for step in range(12)]
    assert _rates(trainer, scheduler="cosine") == pytest.approx(cosine)
    cycle = _rates(trainer, scheduler="one_cycle", warmup_steps=4)
    assert cycle.index(max(cycle)) == 3
    assert cycle[:4] == sorted(cycle[:4])
    assert cycle[3:] == sorted(cycle[3:], reverse=True)


@pytest.mark.parametrize("scheduler", ["none", "step", "cosine", "one_cycle"])
def test_a_training_shorter_than_its_warm_up_runs(trainer: Callable[..., pl.Trainer], scheduler: str) -> None:
    module = ImageClassifier(network=Small(), scheduler=scheduler, warmup_steps=500)  # type: ignore[arg-type]
    trainer(fast_dev_run=True).fit(module, pictures(3, 8, 8), pictures(3, 8, 8))


@pytest.mark.parametrize("scheduler", ["step", "cosine", "one_cycle"])
@pytest.mark.parametrize("warmup_steps", [0, 4])
def test_a_schedule_goes_on_where_its_checkpoint_stopped(
    trainer: Callable[..., pl.Trainer], scheduler: str, warmup_steps: int, tmp_path: Path
) -> None:
    options = {"scheduler": scheduler, "warmup_steps": warmup_steps, "step_size": 1, "learning_rate": 0.5}
    whole = _rates(trainer, **options)

    class Stop(Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.current_epoch == 2:
                trainer.save_checkpoint(tmp_path / "half.ckpt")

    rates, loader = Rates(), pictures(3, 8, 8)
    trainer(max_epochs=6, callbacks=[Stop()]).fit(ImageClassifier(network=Small(), **options), loader, loader)
    module = ImageClassifier(network=Small(), **options)
    trainer(max_epochs=6, callbacks=[rates]).fit(
        module, loader, loader, ckpt_path=tmp_path / "half.ckpt", weights_only=True
    )
    assert rates.values == pytest.approx(whole[6:])


def test_a_schedule_of_endless_training_says_what_is_missing(trainer: Callable[..., pl.Trainer]) -> None:
    with pytest.raises(UsageError, match="max_epochs or max_steps"):
        trainer(max_epochs=-1).fit(ImageClassifier(network=Small()), pictures(3, 8, 8), pictures(3, 8, 8))
