"""Modules on which inputs once went wrong: exported from their genuine checkpoints, and compared on fresh inputs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lit_export import Bundle, Options, export
from lit_infer import load, manifest
from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest
from tests.cases import modules

CLASSES = "tests.cases.modules"


def exported(cases: Path, name: str, out: Path, **options: Any) -> Bundle:
    return export(cases / f"{name}.ckpt", out=out, options=Options(class_path=f"{CLASSES}:{name}", **options))


def loaded(cases: Path, name: str) -> torch.nn.Module:
    module: torch.nn.Module = getattr(modules, name)()
    module.load_state_dict(torch.load(cases / f"{name}.ckpt", weights_only=True)["state_dict"])
    return module.eval()


def floats(generator: np.random.Generator, *shape: int) -> Any:
    return (generator.random(shape) + 0.1).astype(np.float32)


FRESH: dict[str, tuple[dict[str, Any], Callable[[np.random.Generator], dict[str, Any]]]] = {
    "Recommender": ({}, lambda g: {"user": g.integers(0, 100, 5), "item": g.integers(0, 50, 5)}),
    "Categories": (
        {},
        lambda g: {"numeric": floats(g, 5, 6), "categories": g.integers(0, [40, 9, 3], (5, 3))},
    ),
    "Prototypes": ({}, lambda g: {"query": floats(g, 5, 4), "support": floats(g, 7, 4)}),
    "TimeFirst": ({}, lambda g: {"x": floats(g, 10, 5, 20), "state": floats(g, 1, 5, 20)}),
    "LogMel": ({}, lambda g: {"mel": floats(g, 5, 40, 50)}),
    "ScalarFirst": ({"inputs": ("3x2x2",)}, lambda g: {"x": floats(g, 5, 3, 2, 2)}),
    "PredictOnly": ({"inputs": ("4",)}, lambda g: {"batch": floats(g, 5, 4)}),
    "DictTagger": (
        {
            "inputs": ("input_ids=16:int64:0..299", "attention_mask=16:int64:1..1"),
            "dynamic": ("length=1",),
        },
        lambda g: {"input_ids": g.integers(0, 300, (5, 11)), "attention_mask": np.ones((5, 11), dtype=np.int64)},
    ),
}


def answered(module: torch.nn.Module, name: str, inputs: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    tensors = {key: torch.from_numpy(array) for key, array in inputs.items()}
    with torch.no_grad():
        match name:
            case "PredictOnly":
                answer = module.predict_step(tensors["batch"], 0)  # type: ignore[operator]
            case "DictTagger":
                answer = module(tensors)
            case _:
                answer = module(**tensors)
    return [tensor.numpy() for tensor in (answer if isinstance(answer, tuple) else (answer,))]


@pytest.mark.parametrize("name", FRESH)
def test_the_graph_is_the_module_on_inputs_that_the_export_never_saw(cases: Path, tmp_path: Path, name: str) -> None:
    options, fresh = FRESH[name]

    bundle = exported(cases, name, tmp_path / "bundle", **options)

    assert not bundle.failed, bundle.failed
    inputs = fresh(np.random.default_rng(9))
    with load(tmp_path / "bundle") as model:
        found = model.run(inputs)
    for graph, truth in zip(found.values(), answered(loaded(cases, name), name, inputs), strict=True):
        np.testing.assert_allclose(graph, truth, atol=1e-5)
    CHECKS.get(name, lambda _: None)(manifest.read(tmp_path / "bundle"))


def shapes(described: Manifest) -> dict[str, Any]:
    return {tensor.name: tensor.shape for tensor in (*described.inputs, *described.outputs)}


def check_prototypes(described: Manifest) -> None:
    assert shapes(described) == {"query": ("batch", 4), "support": (7, 4), "output": ("batch", 7)}


def check_time_first(described: Manifest) -> None:
    assert shapes(described) == {
        "x": (10, "batch", 20),
        "state": (1, "batch", 20),
        "output_0": (10, "batch", 20),
        "output_1": (1, "batch", 20),
    }


def check_scalar_first(described: Manifest) -> None:
    assert shapes(described) == {"x": ("batch", 3, 2, 2), "output_0": (), "output_1": ("batch", 3)}


def check_predict_only(described: Manifest) -> None:
    assert described.source.call == "predict_step"


def check_dict_tagger(described: Manifest) -> None:
    assert described.proof is not None
    assert "attention_mask is always 1 (--input)" in described.proof.assumed
    assert "input_ids lies in 0..299 (--input)" in described.proof.assumed


def check_categories(described: Manifest) -> None:
    assert described.proof is not None
    assert (described.proof.inputs, described.proof.source) == ("example", "the module's example_input_array")


CHECKS: dict[str, Callable[[Manifest], None]] = {
    "Prototypes": check_prototypes,
    "TimeFirst": check_time_first,
    "ScalarFirst": check_scalar_first,
    "PredictOnly": check_predict_only,
    "DictTagger": check_dict_tagger,
    "Categories": check_categories,
}


def test_an_integer_that_was_never_varied_is_refused_with_the_range_to_give(cases: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the input domain would be 0 in all .* --input domain=:int64:0\.\.N"):
        exported(cases, "DomainExperts", tmp_path / "b", inputs=("x=4", "domain=:int64"))


def test_a_list_for_each_image_has_a_cure_that_works(cases: Path, tmp_path: Path) -> None:
    inputs = ("3x64x64:float32:0..1",)
    with pytest.raises(UsageError, match="Give --static-batch 1"):
        exported(cases, "PerImageLists", tmp_path / "b", inputs=inputs)

    bundle = exported(cases, "PerImageLists", tmp_path / "b", inputs=inputs, static_batch=1)

    assert not bundle.failed, bundle.failed
    assert shapes(manifest.read(tmp_path / "b")) == {
        "images": (1, 3, 64, 64),
        "output_0_boxes": ("output_0_boxes_0", 4),
        "output_0_scores": ("output_0_scores_0",),
    }
    images = floats(np.random.default_rng(9), 1, 3, 64, 64) - 0.07
    with load(tmp_path / "b") as model, torch.no_grad():
        found = model.run({"images": images})
        (truth,) = loaded(cases, "PerImageLists")(torch.from_numpy(images))
    np.testing.assert_allclose(found["output_0_boxes"], truth["boxes"].numpy())
    assert 0 < len(truth["boxes"]) < 48


def test_real_inputs_from_a_file_are_compared_on_and_are_the_golden_ones(cases: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    rows = {"x": floats(generator, 12, 3, 2, 2)}
    np.savez(tmp_path / "rows.npz", **rows)

    exported(cases, "ScalarFirst", tmp_path / "b", input_file=tmp_path / "rows.npz")

    described = manifest.read(tmp_path / "b")
    assert described.proof is not None
    assert (described.proof.inputs, described.proof.source) == ("file", "rows.npz")
    golden = np.load(tmp_path / "b" / "golden.npz")["x"]
    assert all((row == rows["x"]).all((1, 2, 3)).any() for row in golden)
