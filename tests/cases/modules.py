"""Small LightningModules and checkpoints on which the exporter was seen to fail. `python modules.py FOLDER` writes
NAME.ckpt for each; README.md says what each command must do. Grow the kinds, not only the cases."""

import argparse
import functools
import pathlib
import sys

import lightning.pytorch as pl
import numpy as np
import torch
from torch import nn


class CliNet(pl.LightningModule):
    """Its checkpoint holds hparams as LightningCLI 2.3 wrote them: class_path + init_args."""

    def __init__(self, scale: float = 1.0, classes: int = 3):
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(6, classes)

    def forward(self, x):
        return self.layer(x) * self.hparams.scale


class DomainExperts(pl.LightningModule):
    """One head per domain id; a head without rows is skipped. forward(x [batch, 4], domain int64 [batch])."""

    def __init__(self, domains: int = 3):
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(4, 2) for _ in range(domains))

    def forward(self, x, domain):
        answer = torch.zeros(x.shape[0], 2)
        for index, head in enumerate(self.heads):
            rows = domain == index
            if rows.any():
                answer[rows] = head(x[rows])
        return answer


class GuardedDetector(pl.LightningModule):
    """A detector with the usual guard for no boxes; in noise it finds none. forward([1, 3, 64, 64])."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AvgPool2d(16)

    def forward(self, x):
        score = self.pool(x).amax(1).flatten(1)[0]
        keep = torch.where(score > 0.8)[0]
        if keep.numel() == 0:
            return torch.zeros(0, 4), torch.zeros(0)
        left, top = keep % 4 * 16.0, keep // 4 * 16.0
        return torch.stack([left, top, left + 16, top + 16], -1), score[keep]


class InBatch(pl.LightningModule):
    """The rows of a batch look at each other, so requests of different clients must not be joined."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        hidden = self.layer(x)
        return hidden - hidden.mean(0, keepdim=True)


class Recommender(pl.LightningModule):
    """Two small vocabularies."""

    def __init__(self):
        super().__init__()
        self.users, self.items = nn.Embedding(100, 4), nn.Embedding(50, 4)
        self.example_input_array = (torch.tensor([3, 99]), torch.tensor([0, 49]))

    def forward(self, user, item):
        return (self.users(user) * self.items(item)).sum(-1)


class Categories(pl.LightningModule):
    """One integer matrix, each column with a range of its own; a real row is the example."""

    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, 4) for size in (40, 9, 3))
        self.out = nn.Linear(18, 1)
        self.example_input_array = (torch.randn(2, 6), torch.tensor([[39, 8, 2], [0, 0, 0]]))

    def forward(self, numeric, categories):
        parts = [table(categories[:, place]) for place, table in enumerate(self.tables)]
        return self.out(torch.cat([numeric, *parts], -1))


class Prototypes(pl.LightningModule):
    """Queries against a support set of 7: the second input has no batch."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.example_input_array = (torch.randn(2, 4), torch.randn(7, 4))

    def forward(self, query, support):
        return self.layer(query) @ self.layer(support).T


class DictTagger(pl.LightningModule):
    """forward(batch: dict), as most of the text world writes it."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(300, 8), nn.Linear(8, 3)

    def forward(self, batch):
        return self.out(self.embed(batch["input_ids"]) * batch["attention_mask"][..., None])


class PredictOnly(pl.LightningModule):
    """No forward, but a predict_step."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)

    def predict_step(self, batch, batch_idx, dataloader_idx=0):
        return self.net(batch).softmax(-1)


class AsksTrainer(pl.LightningModule):
    """self.trainer in forward."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)
        self.example_input_array = torch.randn(2, 6)

    def forward(self, x):
        return self.layer(x + torch.randn_like(x)) if self.trainer.training else self.layer(x)


class LogMel(pl.LightningModule):
    """Takes positive spectrograms, as its example says."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv1d(40, 8, 3), nn.Linear(8, 4)
        self.example_input_array = torch.rand(2, 40, 50) + 0.01

    def forward(self, mel):
        return self.head(self.conv(torch.log(mel)).mean(-1))


class TimeFirst(pl.LightningModule):
    """Time first; the recurrent state is an input with the batch on axis 1."""

    def __init__(self, frames: int = 10, layers: int = 1):
        super().__init__()
        self.save_hyperparameters()
        self.gru = nn.GRU(20, 20, num_layers=layers)
        self.example_input_array = (torch.randn(frames, 3, 20), torch.randn(layers, 3, 20))

    def forward(self, x, state):
        return self.gru(x, state)


class Objects(pl.LightningModule):
    """As the best-known template saves it: net, optimizer and scheduler are objects in the checkpoint."""

    def __init__(self, net, optimizer, scheduler, compile=False):  # noqa: A002
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.net = net

    def forward(self, x):
        return self.net(x)


class Plain(pl.LightningModule):
    """Hyperparameters of kinds that are data but not plain: numpy numbers, paths, namespaces."""

    def __init__(self, width: int = 8, lr=1e-3, root=None, args=None):
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 3))

    def forward(self, x):
        return self.layers(x)


class WeightedLoss(pl.LightningModule):
    """Its loss is made in setup(), so the checkpoint has criterion.weight and a new object has not."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def setup(self, stage):
        self.criterion = nn.CrossEntropyLoss(weight=torch.ones(3))

    def forward(self, x):
        return self.layer(x)


class Viewed(pl.LightningModule):
    """The most usual ending of a small image model: `view` after a convolution. Export it with the spec in README.md."""

    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 8, 3, stride=2), nn.Linear(8 * 15 * 15, 10)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return torch.log_softmax(self.out(x.view(x.size(0), -1)), dim=1)


class ScalarFirst(pl.LightningModule):
    """A loss comes first, as in masked autoencoders and models that were given labels."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))

    def forward(self, x):
        answer = self.net(x)
        return (answer**2).mean(), answer


class PerImageLists(pl.LightningModule):
    """A list of dicts, one for each image, of any length: torchvision's detection convention."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AvgPool2d(16)

    def forward(self, images):
        found = []
        for score in self.pool(images).amax(1).flatten(1):
            keep = torch.where(score > 0.5)[0]
            corner = torch.stack([keep % 4 * 16.0, keep // 4 * 16.0], -1)
            found.append({"boxes": torch.cat([corner, corner + 16], -1), "scores": score[keep]})
        return found


def hooked(base: type) -> type:
    """The same module on `lightning.pytorch` or `pytorch_lightning` (a package of its own): a hook restores what training set."""

    class Hooked(base):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
            self.scale = 1.0

        def forward(self, x):
            return self.net(x) * self.scale

        def on_save_checkpoint(self, checkpoint):
            checkpoint["scale"] = self.scale

        def on_load_checkpoint(self, checkpoint):
            self.scale = checkpoint["scale"]

    return Hooked


def save(module: pl.LightningModule, path: pathlib.Path, **changed) -> None:
    """A genuine checkpoint by Lightning's Trainer; `changed` replaces keys of it afterwards."""
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, max_steps=0)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(path)
    if changed:
        torch.save({**torch.load(path, weights_only=False), **changed}, path)


def main(folder: pathlib.Path) -> None:
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    simple = (
        DomainExperts,
        GuardedDetector,
        InBatch,
        Recommender,
        Categories,
        Prototypes,
        DictTagger,
        PredictOnly,
        AsksTrainer,
        LogMel,
        TimeFirst,
        Viewed,
        ScalarFirst,
        PerImageLists,
    )
    for cls in simple:
        save(cls(), folder / f"{cls.__name__}.ckpt")
    cli = {
        "class_path": "modules.CliNet",
        "init_args": {"scale": 5.0, "classes": 3},
        "_instantiator": "lightning.pytorch.cli.instantiate_module",
    }
    save(CliNet(scale=5.0), folder / "CliNet.ckpt", hyper_parameters=cli)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    adam = functools.partial(torch.optim.Adam, lr=1e-3)
    save(Objects(net, adam, None), folder / "Objects.ckpt")
    save(
        Plain(lr=np.float64(0.003), root=pathlib.PurePosixPath("/data"), args=argparse.Namespace(depth=2)),
        folder / "Plain.ckpt",
    )
    weighted = WeightedLoss()
    weighted.setup("fit")
    save(weighted, folder / "WeightedLoss.ckpt")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
