"""A real bundle and real images, made once; a test that changes them takes a copy."""

from pathlib import Path

import pytest

from lit_infer import load
from lit_infer.predictor import Predictor
from tests.inference.tiny import LABELS, colour, make_bundle, save


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's bundle. Read only."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "colours-v0")


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a module on texts, exported, with its tokenizer. Read only."""
    from tests.support.texts import text_bundle

    return text_bundle(tmp_path_factory.mktemp("texts"))


@pytest.fixture(scope="session")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a module that labels the tokens of texts, exported, with its tokenizer. Read only."""
    from tests.support.texts import LABELS, text_bundle

    facts = f"task: token-classification\nlabels: [{', '.join(LABELS)}]\nanswers: {{words: first}}\n"
    options = {"factory": "tests.support.texts:Tagger", "prepare": "tests.support.texts:prepare"}
    return text_bundle(tmp_path_factory.mktemp("tagger"), facts=facts, **options)


@pytest.fixture(scope="session")
def predictor(bundle_folder: Path) -> Predictor:
    """The tiny model, open."""
    return load(bundle_folder, device="cpu")


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four images of each colour, in folders named after their class. Read only."""
    root = tmp_path_factory.mktemp("images")
    for label in LABELS:
        for strength in (100, 150, 200, 250):
            save(root / label / f"{strength}.png", colour(label, strength))
    return root
