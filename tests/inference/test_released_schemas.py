"""Bundles of every released schema are read for ever: opened, tested against their golden answers, and predicted with.

tests/fixtures has them as they were released, with what they answered then.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from lit_infer import load, manifest
from lit_infer.errors import ArtifactError
from lit_infer.self_test import self_test

FIXTURES = Path(__file__).parents[1] / "fixtures"
BUNDLES = sorted(path.parent.name for path in FIXTURES.glob("*/manifest.json"))
OF_IMAGES = sorted(path.parent.name for path in FIXTURES.glob("*/expected.json"))


def test_there_is_a_bundle_of_every_schema_before_the_newest() -> None:
    found = {json.loads((FIXTURES / name / "manifest.json").read_text())["schema"] for name in BUNDLES}

    assert found >= set(range(1, manifest.SCHEMA))


@pytest.mark.parametrize("name", BUNDLES)
def test_it_is_read_as_the_newest_and_its_graphs_answer_as_they_did_at_export(name: str) -> None:
    found = manifest.read(FIXTURES / name)
    tested = self_test(FIXTURES / name, device="cpu")

    assert found.schema == manifest.SCHEMA
    assert tested.ok, tested
    assert manifest.decode(manifest.encode(found), where=name) == found


@pytest.mark.parametrize("name", OF_IMAGES)
def test_an_image_is_answered_as_it_was_when_the_bundle_was_made(name: str) -> None:
    expected = json.loads((FIXTURES / name / "expected.json").read_text())
    with load(FIXTURES / name, device="cpu") as model:
        (found,) = model.predict([FIXTURES / "picture.png"])

    assert (found.error, found.label) == (None, expected["label"])
    assert [choice.label for choice in found.top] == [label for label, _ in expected["top"]]
    np.testing.assert_allclose([c.score for c in found.top], [score for _, score in expected["top"]], rtol=1e-5)
    if expected["embedding"] is not None:
        assert found.embedding is not None
        np.testing.assert_allclose(found.embedding, expected["embedding"], rtol=1e-5)


def test_a_lone_graph_file_of_an_older_schema_describes_itself() -> None:
    with load(FIXTURES / "schema-1-classification" / "model.onnx", device="cpu") as model:
        assert model.manifest.schema == manifest.SCHEMA
        assert model.manifest.labels == ("red", "green", "blue")


def test_what_was_recorded_keeps_its_meaning_under_its_new_name() -> None:
    raw = json.loads((FIXTURES / "schema-1-classification" / "manifest.json").read_text())
    raw["graphs"][0]["score"] = {"value": 0.9, "eager": 0.95, "images": 40}

    (graph,) = manifest.decode(json.dumps(raw), where="here").graphs

    assert graph.parity is not None
    assert graph.parity.agreement == raw["graphs"][0]["parity"]["top1_agreement"]
    assert graph.score == manifest.DataScore(metric="accuracy", value=0.9, eager=0.95, images=40)


@pytest.mark.parametrize("schema", [0, -3])
def test_a_schema_that_never_was_is_refused(schema: int) -> None:
    raw = json.loads((FIXTURES / "schema-1-tensor" / "manifest.json").read_text()) | {"schema": schema}

    with pytest.raises(ArtifactError, match=f"schema {schema} was never released"):
        manifest.decode(json.dumps(raw), where="here")
