"""A bundle of a module on texts: its tokens are proven against training's own, or refused."""

from pathlib import Path
from typing import Any

import pytest

from lit_export import Options, export
from lit_infer import manifest, progress
from lit_infer.errors import GateError, UsageError
from tests.support.texts import SENTENCES, write_tokenizer

TEXTS = "tests.support.texts"


def run(folder: Path, **options: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    (folder / "spec.yaml").write_text("task: text-classification\nlabels: [bad, good]\n")
    given = {"factory": f"{TEXTS}:TextNet", "tokenizer": write_tokenizer(folder / "tok"), **options}
    with progress.listening(progress.Listener(note=said.append)):
        bundle = export(None, ["onnx"], out=folder / "b", options=Options(spec=folder / "spec.yaml", **given))
    return bundle, said


def test_tokens_are_proven_on_the_texts_of_a_file_and_the_tokenizer_goes_along(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("".join(f"{text}\n" for text in SENTENCES))

    bundle, said = run(tmp_path, prepare=f"{TEXTS}:prepare", table_rows=tmp_path / "lines.txt")

    assert f"rows proven against {TEXTS}:prepare on 7 rows (lines.txt), all equal" in said
    assert (bundle.manifest.proof.inputs, bundle.manifest.proof.source) == ("file", "lines.txt")
    text = manifest.read(tmp_path / "b").fields
    assert text is not None
    assert (tmp_path / "b" / "tokenizer.json").read_bytes() == (tmp_path / "tok" / "tokenizer.json").read_bytes()
    assert "as at most 12 tokens (its end cut off)" in (tmp_path / "b" / "report.md").read_text()


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("without_special", GateError, r"texts are not tokenized as .*: input_ids of '.*' is \d+ ids, \[2, .*there"),
        ("only_ids", UsageError, "it answers input_ids, and no attention_mask"),
        ("SENTENCES", UsageError, "not a function of a row"),
    ],
)
def test_other_tokens_are_refused(name: str, error: type[Exception], said: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=said):
        run(tmp_path, prepare=f"{TEXTS}:{name}")
    assert not (tmp_path / "b").exists()


def test_a_tokenizer_without_a_limit_asks_for_one(tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path / "other")
    (folder / "tokenizer_config.json").unlink()

    with pytest.raises(UsageError, match=r"the tokenizer has no limit: say fields: \{text: \{max_length: 128\}\}"):
        run(tmp_path, tokenizer=folder)
