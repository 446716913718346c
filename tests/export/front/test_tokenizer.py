import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lit_export.front.tokenizer import text_facts, tokenizer_file
from lit_export.options import Options
from lit_infer.errors import NotFoundError, UsageError
from tests.support.texts import MAX_LENGTH, write_tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tokenizer(tmp_path / "tok")


def test_a_folder_of_hugging_faces_says_its_limit_its_padding_and_its_digest(folder: Path) -> None:
    digest = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()

    found = text_facts(Options(tokenizer=folder))

    assert found == {"tokenizer_sha256": digest, "pad_id": 0, "max_length": MAX_LENGTH}
    assert text_facts(Options()) == {}
    assert tokenizer_file(Options(tokenizer=folder)) == folder / "tokenizer.json"


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"model_max_length": 10**30}, {"pad_id": 0}),
        (
            {"padding_side": "left", "truncation_side": "left"},
            {"pad_id": 0, "padding_side": "left", "truncation": "left"},
        ),
        ({"pad_token": {"content": "[SEP]"}}, {"pad_id": 3}),
        ({"tokenizer_class": "XLNetTokenizer"}, {"padding_side": "left"}),
        ({"tokenizer_class": "LlamaTokenizerFast", "padding_side": "right"}, {"padding_side": "right"}),
    ],
)
def test_what_else_the_configuration_says(folder: Path, config: dict[str, Any], found: dict[str, Any]) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps(config))

    assert text_facts(Options(tokenizer=folder)).items() >= found.items()
    assert ("max_length" in text_facts(Options(tokenizer=folder))) == ("max_length" in found)


def test_a_lone_file_says_what_it_was_saved_with(folder: Path) -> None:
    own = json.loads((folder / "tokenizer.json").read_text())
    own["truncation"] = {"max_length": 7, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    own["padding"] = {"pad_id": 5, "direction": "Left"}
    (folder / "alone.json").write_text(json.dumps(own))
    (folder / "tokenizer_config.json").unlink()

    found = {"max_length": 7, "pad_id": 5, "truncation": "right", "padding_side": "left"}
    assert text_facts(Options(tokenizer=folder / "alone.json")).items() >= found.items()


def test_what_is_no_tokenizer_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no tokenizer\.json there\. transformers writes it"):
        text_facts(Options(tokenizer=tmp_path))
    (folder / "tokenizer_config.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        text_facts(Options(tokenizer=folder))
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(UsageError, match="is not JSON"):
        text_facts(Options(tokenizer=folder))
