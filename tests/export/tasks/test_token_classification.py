"""Modules that label tokens, as users write them: what their graph takes and answers, and how it is scored."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from lit_export import Options, export
from lit_export.front.tokenizer import text_facts
from lit_export.tasks import Target, answers
from lit_infer import manifest
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.rows.facts import RowFields, TextField
from tests.support.targets import target_for
from tests.support.texts import LABELS, SENTENCES, Tagger, TextNet, write_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tok"))


def made(folder: Path, module: nn.Module, *, labels: Any = LABELS, **text: Any) -> Target:
    facts = TextField(**{**text_facts(Options(tokenizer=folder)), **text})
    described = DeploymentFacts(task="token-classification", labels=labels, fields=RowFields(text=facts))
    return target_for(module.eval(), described, tokenizer=folder)


def test_a_token_has_the_probabilities_of_its_labels(folder: Path) -> None:
    target = made(folder, Tagger())

    assert [(one.name, one.shape) for one in target.outputs] == [("probabilities", ("batch", "length", 5))]
    assert np.allclose(answers(target.module, target.example)[0].sum(-1), 1)
    assert made(folder, Tagger(), padding="fixed").outputs[0].shape == ("batch", 12, 5)


class Shares(Tagger):
    """A module with a softmax of its own."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        return {"logits": super().forward(input_ids, attention_mask).softmax(-1), "loss": input_ids.sum()}


def test_a_softmax_is_put_on_logits_and_on_no_probabilities(folder: Path) -> None:
    logits, shares = made(folder, Tagger()), made(folder, Shares())

    assert np.allclose(answers(logits.module, logits.example)[0], answers(shares.module, logits.example)[0])


def test_labels_that_are_not_known_are_told(folder: Path) -> None:
    (said,) = made(folder, Tagger(), labels=None).warnings

    assert said == "labels are not known, so that spans are called by their numbers"


class Shorter(Tagger):
    """A module that leaves out the first and the last token."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return super().forward(input_ids, attention_mask)[:, 1:-1]


class OneScore(Tagger):
    """A module with one score for each token."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return super().forward(input_ids, attention_mask)[:, :, :1]


def test_what_does_not_fit_is_told(folder: Path) -> None:
    with pytest.raises(GateError, match=r"answers \[32, 2\] for 32 rows, and not a label's score for each token"):
        made(folder, TextNet())
    with pytest.raises(UsageError, match=r"answers for \d+ tokens of \d+, and which ones is not known"):
        made(folder, Shorter())
    with pytest.raises(UsageError, match="one value for each token"):
        made(folder, OneScore(), labels=None)
    with pytest.raises(UsageError, match="3 labels are given and the model has 5 labels"):
        made(folder, Tagger(), labels=("O", "B-X", "I-X"))
    with pytest.raises(UsageError, match=r"leave fields\.text\.pair out"):
        made(folder, Tagger(), pair="other")


def test_graphs_are_scored_by_the_spans_that_they_find(folder: Path, tmp_path: Path) -> None:
    rows = [{"text": text, "spans": []} for text in SENTENCES]
    rows[0]["spans"] = [{"label": "WHO", "start": 0, "end": 1}, {"label": "PART", "start": 2, "end": 11}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "spec.yaml").write_text(f"task: token-classification\nlabels: [{', '.join(LABELS)}]\n")
    options = {"factory": "tests.support.texts:Tagger", "tokenizer": folder, "data": tmp_path / "rows.jsonl"}

    export(
        None,
        ["onnx"],
        out=tmp_path / "b",
        options=Options(
            spec=tmp_path / "spec.yaml",
            target=("spans",),
            precisions=("fp32", "int8"),
            max_drop=1,
            keep_anyway=True,
            **options,
        ),
    )

    graphs = manifest.read(tmp_path / "b").graphs
    assert [graph.precision for graph in graphs] == ["fp32", "int8"]
    for graph in graphs:
        assert graph.score is not None
        assert graph.score.metric == "span F1"
        assert set(graph.score.also) == {"precision", "recall"}
    assert graphs[0].score is not None
    assert graphs[0].score.value == graphs[0].score.eager
    assert graphs[0].parity is not None
    assert graphs[0].parity.agreement == 1
