"""chemprop as its training notebook: an MPNN on targets that were scaled; ModelCheckpoint writes the file."""

import tempfile
from typing import Any

import numpy as np
import torch
from chemprop import data, featurizers, models, nn
from lightning import pytorch as pl
from record import QUIET, answers_of, record

pl.seed_everything(1, verbose=False)
SMILES = [
    "CCO",
    "CCC",
    "c1ccccc1",
    "CC(=O)O",
    "CCN",
    "CCCC",
    "c1ccncc1",
    "CC(C)O",
    "C1CCCCC1",
    "CCOC",
    "CC#N",
    "OCCO",
    "CCCl",
    "CCBr",
    "NCC(=O)O",
    "c1ccccc1O",
    "CCCO",
]
POINTS = [data.MoleculeDatapoint.from_smi(s, np.array([len(s) * 0.3 + i % 3])) for i, s in enumerate(SMILES)]
MODELS: dict[str, Any] = {
    "bond": (nn.BondMessagePassing(d_h=16, depth=2), nn.MeanAggregation()),
    "atom": (nn.AtomMessagePassing(d_h=16, depth=2), nn.NormAggregation()),
}


def make(name: str, message_passing: Any, aggregation: Any) -> None:
    featurizer = featurizers.SimpleMoleculeMolGraphFeaturizer()
    train, later = (data.MoleculeDataset(points, featurizer) for points in (POINTS[:12], POINTS[12:]))
    scaler = train.normalize_targets()
    later.normalize_targets(scaler)
    unscale = nn.UnscaleTransform.from_standard_scaler(scaler)
    predictor = nn.RegressionFFN(input_dim=16, hidden_dim=16, output_transform=unscale)
    metrics = [nn.metrics.RMSE(), nn.metrics.MAE()]
    module = models.MPNN(message_passing, aggregation, predictor, batch_norm=True, metrics=metrics)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = pl.callbacks.ModelCheckpoint(folder, "best-{epoch}-{val_loss:.2f}", "val_loss", save_last=True)
        trainer = pl.Trainer(accelerator="cpu", max_epochs=3, callbacks=[checkpoint], **QUIET)
        loaders = [data.build_dataloader(part, batch_size=4, shuffle=False) for part in (train, later)]
        trainer.fit(module, *loaders)
        loaded = models.MPNN.load_from_checkpoint(checkpoint.best_model_path)
        held = data.collate_batch([later[index] for index in range(len(later))])[0]
        proof = filled([train[index].mg for index in range(len(train))])
        answers = answers_of(loaded, held)
        inputs = filled([later[index].mg for index in range(len(later))])
        record(f"chemprop-{name}", "chemprop", checkpoint.best_model_path, proof=proof, held=inputs, answers=answers)


ATOMS, BONDS = 12, 24  # of the largest, and one atom that the bonds that are not there join


def filled(graphs: list[Any]) -> dict[str, torch.Tensor]:
    """Molecules in rows of one size."""
    atoms, there = np.zeros((len(graphs), ATOMS, 72), np.float32), np.zeros((len(graphs), ATOMS), np.float32)
    bonds, edges = np.zeros((len(graphs), BONDS, 14), np.float32), np.full((len(graphs), 2, BONDS), ATOMS - 1)
    reverse = np.tile(np.arange(BONDS), (len(graphs), 1))
    for row, graph in enumerate(graphs):
        n, m = len(graph.V), len(graph.E)
        atoms[row, :n], there[row, :n], bonds[row, :m] = graph.V, 1, graph.E
        edges[row, :, :m], reverse[row, :m] = graph.edge_index, graph.rev_edge_index
    arrays = {"atoms": atoms, "there": there, "bonds": bonds, "edges": edges, "reverse": reverse}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


for name, parts in MODELS.items():
    make(name, *parts)
