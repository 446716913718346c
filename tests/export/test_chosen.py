"""lit_export.chosen: which of a module's outputs is which, said in the facts or by `--outputs`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lit_export import export
from lit_export.chosen import line, parsed, paths, recorded, stated
from lit_export.options import Options
from lit_export.tasks import TASKS
from lit_infer import load, progress
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts, Resize, Step

STEPS = (Step(resize=Resize(size=(8, 12))),)
DETECTION, CLASSES = "object-detection", "image-classification"


def facts(task: str = DETECTION, **changes: Any) -> DeploymentFacts:
    return DeploymentFacts(task=task, preprocess=STEPS, **changes)


def said(given: str | None = None, task: str = DETECTION, **changes: Any) -> DeploymentFacts:
    return stated(facts(task, **changes), TASKS[task].roles, given)


def test_what_is_written_is_read_and_written_again() -> None:
    text = "boxes=pred_boxes:cxcywh:relative,scores=0.logits"

    assert parsed(text) == {"boxes": "pred_boxes:cxcywh:relative", "scores": "0.logits"}
    assert parsed(" boxes = pred_boxes:cxcywh:relative , scores=0.logits ") == parsed(text)
    assert line(parsed(text)) == text
    assert paths(facts(outputs=parsed(text))) == {"boxes": "pred_boxes", "scores": "0.logits"}
    assert recorded({"boxes": ("b", ("xyxy", "pixels")), "scores": ("s", ()), "count": (None, ())}) == {
        "boxes": "b:xyxy:pixels",
        "scores": "s",
    }


def test_the_spec_and_the_option_are_one_thing_and_forms_are_facts_of_the_answers() -> None:
    text = "boxes=pred_boxes:cxcywh:relative,logits=cls:sigmoid"

    by_option, by_spec = said(text), said(outputs=parsed(text))

    assert by_option == by_spec
    assert by_option.outputs == {"boxes": "pred_boxes:cxcywh:relative", "scores": "cls:sigmoid"}
    assert by_option.answers == {"boxes": "cxcywh", "relative": True, "scores": "sigmoid"}
    assert said().outputs == {}


def test_the_option_counts_more_than_the_facts() -> None:
    found = said("scores=b", outputs={"scores": "a:sigmoid", "boxes": "c"}, answers={"threshold": 0.3})
    assert found.outputs == {"scores": "b", "boxes": "c"}
    assert found.answers == {"threshold": 0.3}
    assert said("scores=b:sigmoid", answers={"scores": "softmax"}).answers["scores"] == "sigmoid"


def test_facts_of_before_that_name_an_output_are_the_same() -> None:
    old = {"answers": {"output": "last_hidden_state", "pool": "cls"}}

    assert said(None, "image-embedding", **old).outputs == {"embedding": "last_hidden_state"}
    changed = said("embedding=pooler_output", "image-embedding", **old)
    assert changed.outputs == {"embedding": "pooler_output"}
    assert changed.answers == {"output": "pooler_output", "pool": "cls"}
    with pytest.raises(UsageError, match="embedding: a and answers: output: last_hidden_state say different things"):
        said(None, "image-embedding", outputs={"embedding": "a"}, **old)


@pytest.mark.parametrize(
    ("given", "changes", "message"),
    [
        ("boxes", {}, r"--outputs 'boxes': expected NAME=OUTPUT, as in boxes=pred_boxes"),
        ("boxes=a,boxes=b", {}, "boxes is said twice"),
        ("scores=a,logits=b", {}, "logits and another name say what scores is"),
        ("box=a", {}, r"--outputs: box \(is boxes meant\?\): task object-detection has boxes, scores, candidates"),
        ("boxes=a:xyxy:cxcywh", {}, "xyxy and cxcywh exclude each other"),
        ("boxes=a:corners", {}, "corners is no form of boxes; task object-detection has xyxy, xywh, cxcywh, relative"),
        (None, {"outputs": {"box": "a"}}, r"^outputs: box \(is boxes meant"),
        (
            None,
            {"outputs": {"scores": "a:sigmoid"}, "answers": {"scores": "softmax"}},
            "outputs: scores: a:sigmoid and answers: scores: softmax say different things: leave one out",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(given: str | None, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        said(given, **changes)


def test_a_name_that_says_the_form_and_another_form_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="softmax and probabilities exclude each other"):
        said("probabilities=a:softmax", CLASSES)
    assert said("logits=a:softmax", CLASSES).outputs == {"scores": "a:softmax:logits"}
    with pytest.raises(UsageError, match="task tensor has outputs as they are"):
        stated(DeploymentFacts(task="tensor"), None, "a=b:softmax")


class Heads(nn.Module):
    """Two heads, and a scalar before them."""

    def forward(self, images: Tensor) -> dict[str, Any]:
        means = images.mean((2, 3)) * 9
        return {"loss": means.mean(), "age": means[:, :2], "species": {"logits": means.flip(1), "features": means}}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.zeros((9, 13, 3), np.uint8)
    pixels[..., 0] = 200
    Image.fromarray(pixels).save(tmp_path / "red.png")
    return tmp_path / "red.png"


def test_a_head_that_was_chosen_answers_and_what_was_taken_is_said_and_recorded(tmp_path: Path, photo: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("task: image-classification\npreprocess: [{resize: {size: [8, 12]}}]\noutputs: {scores: age}\n")
    heard: list[str] = []

    with progress.listening(progress.Listener(note=heard.append)):
        first = export(Heads().eval(), out=tmp_path / "a", options=Options(spec=spec))
        other = export(Heads().eval(), out=tmp_path / "b", options=Options(spec=spec, outputs="logits=species"))

    assert first.manifest.taken == {"scores": "age:softmax"}
    assert other.manifest.taken == {"scores": "species.logits:softmax"}
    assert any("outputs taken: --outputs scores=species.logits:softmax" in one for one in heard)
    assert "scores species.logits:softmax" in (tmp_path / "b" / "report.md").read_text()
    for folder, index in (("a", 0), ("b", 2)):
        with load(tmp_path / folder) as model:
            assert model.predict([photo])[0].answer.index == index


def test_labels_that_another_head_would_fit_are_told_with_the_option_that_takes_it(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("task: image-classification\npreprocess: [{resize: {size: [8, 12]}}]\nlabels: [a, b, c]\n")
    options = Options(spec=spec, outputs="scores=age")

    with pytest.raises(UsageError, match=r"3 labels are given and the model has 2 classes$"):
        export(Heads().eval(), out=tmp_path / "a", options=options)
    with pytest.raises(
        UsageError, match=r"the model has 2 classes; .* age is taken, and species.* --outputs scores=spec"
    ):
        export(Heads().eval(), out=tmp_path / "a", options=Options(spec=spec))


def test_of_a_tensor_model_the_outputs_that_were_chosen_are_the_graph_s(tmp_path: Path) -> None:
    options = Options(inputs=("3x4x4",), outputs="kind=species.logits,age=age")
    made = export(Heads().eval(), out=tmp_path / "a", options=options).manifest

    assert [one.name for one in made.outputs] == ["kind", "age"]
    assert made.taken == {"kind": "species.logits", "age": "age"}
    images = torch.rand(2, 3, 4, 4)
    with load(tmp_path / "a") as model:
        (name,) = [one.name for one in made.inputs]
        found = model.run({name: images.numpy()})
    np.testing.assert_allclose(found["kind"], Heads()(images)["species"]["logits"], atol=1e-5)
