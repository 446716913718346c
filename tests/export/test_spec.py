"""lit_export.spec: deployment facts from a file."""

from pathlib import Path

import pytest

from lit_export.front.loaded import load
from lit_export.options import Options
from lit_export.spec import facts_for, read_spec
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.progress import Listener, listening


def test_the_fields_are_the_manifests(spec: Path) -> None:
    facts = read_spec(spec)
    assert (facts.task, facts.height_width, facts.channels) == ("image-classification", (8, 8), 3)
    assert facts.labels == ("cat", "dog", "owl")


def test_labels_may_be_a_file_beside_it_or_numbers_or_left_out(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("sea lion\n\nfox\n")
    path = tmp_path / "spec.yaml"
    for text, expected in [("labels: names.txt", ("sea lion", "fox")), ("labels: [0, 1]", ("0", "1")), ("", None)]:
        path.write_text(f"task: image-classification\n{text}\n")
        assert read_spec(path).labels == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: knitting", "task"),
        ("task: image-classification\ncolour: red", "colour"),
        ("task: image-classification\npreprocess: [{resize: {size: 8}, center_crop: {size: 8}}]", "exactly one"),
        ("task: image-classification\npreprocess: [{resize: {size: -1}}]", "positive"),
        ("task: image-classification\nnormalize: {mean: [0.5], std: [0]}", "positive"),
        ("task: image-classification\nlabels: nowhere.txt", "nowhere.txt"),
        ("- a list", "expected fields"),
        ("task: [unclosed", "cannot be read"),
        ("!!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_a_wrong_spec_is_explained(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_spec(path)


def test_a_missing_spec_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"spec\.yaml"):
        read_spec(tmp_path / "spec.yaml")


def test_a_checkpoint_that_says_another_task_is_heard(spec: Path, digits_checkpoint: Path) -> None:
    heard: list[str] = []
    options = Options(spec=spec)
    with listening(Listener(note=heard.append)):
        facts_for(load(str(digits_checkpoint), Options()), options)
        assert heard == [], "the same task"
        spec.write_text("task: image-embedding\n")
        facts_for(load(str(digits_checkpoint), Options()), options)
        facts_for(load(str(digits_checkpoint), Options()), Options(spec=spec, submodule="network"))

    assert heard == [
        "warning: the checkpoint says that it is for image-classification, and is exported as image-embedding"
    ]
