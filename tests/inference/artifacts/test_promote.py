from pathlib import Path
from typing import Any

import pytest

from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.promote import promote
from lit_infer.artifacts.reference import parse
from lit_infer.artifacts.registry import Version
from lit_infer.errors import ArtifactError, GateError, NotFoundError, UsageError
from lit_infer.manifest import Graph, Score, Source
from tests.inference.artifacts.publisher import MODEL
from tests.inference.tiny import make_bundle

BUNDLE = parse("local/c/colours-export")


@pytest.fixture
def bundle(registry: FolderRegistry, tmp_path: Path) -> Any:
    """Publishes a bundle with a score, and graphs that failed besides the one that is ok."""

    def publish(
        value: float | None = None,
        *,
        monitor: str = "val_acc",
        mode: Any = "max",
        failed: int = 0,
        reason: str = "max difference 3.1",
    ) -> Version:
        folder = tmp_path / f"bundle-{len(list(tmp_path.iterdir()))}"
        score = None if value is None else Score(monitor=monitor, mode=mode, value=value)
        graphs = [Graph(format="torchscript", status="failed", reason=reason)] * failed
        make_bundle(folder, *graphs, source=Source(digest="0" * 64, class_path="tests.Colours", score=score))
        (folder / "golden.npz").write_text(folder.name)  # no two are equal
        return registry.publish(folder, BUNDLE, type="model")

    return publish


def checkpoint(registry: FolderRegistry, folder: Path, text: str, **metadata: Any) -> Version:
    folder.mkdir(exist_ok=True)
    (folder / "model.ckpt").write_text(text)
    return registry.publish(folder, MODEL, type="model", metadata=metadata)


def test_a_bundle_whose_gates_passed_is_promoted(registry: FolderRegistry, bundle: Any) -> None:
    bundle(0.5)
    bundle(0.4)

    first = promote(registry, BUNDLE.at("v0"), alias="production")
    second = promote(registry, BUNDLE, alias="production")

    assert (first.before, first.is_new) == (None, True)
    assert second.before is not None
    assert (second.before.reference, second.is_new) == (BUNDLE.at("v0"), True)
    assert registry.resolve(BUNDLE.at("production")).reference == BUNDLE.at("v1")


def test_again_it_changes_nothing(registry: FolderRegistry, bundle: Any) -> None:
    bundle(0.5)
    promote(registry, BUNDLE, alias="production", if_better="val_acc")

    assert not promote(registry, BUNDLE, alias="production", if_better="val_acc").is_new


def test_a_failed_graph_keeps_the_alias_where_it_is(registry: FolderRegistry, bundle: Any) -> None:
    bundle(0.5)
    promote(registry, BUNDLE, alias="production")
    bundle(0.9, failed=1)

    with pytest.raises(GateError, match=r"v1 is not promoted: .* torchscript \(max difference 3\.1\)"):
        promote(registry, BUNDLE, alias="production")
    assert registry.resolve(BUNDLE.at("production")).reference == BUNDLE.at("v0")


def test_a_format_that_was_not_installed_has_failed_nothing(registry: FolderRegistry, bundle: Any) -> None:
    absent = 'Exporting to openvino needs openvino, which is not installed. Run: pip install "lit-deploy[openvino]"'
    bundle(0.5, failed=1, reason=absent)

    assert promote(registry, BUNDLE, alias="production").version.reference == BUNDLE.at("v0")


@pytest.mark.parametrize(
    ("mode", "values", "moves"),
    [("max", (0.5, 0.6), True), ("max", (0.5, 0.5), False), ("min", (0.5, 0.6), False), ("min", (0.5, 0.4), True)],
)
def test_only_a_better_score_moves_the_alias(
    mode: str, values: tuple[float, float], moves: bool, registry: FolderRegistry, bundle: Any
) -> None:
    bundle(values[0], mode=mode)
    promote(registry, BUNDLE, alias="production", if_better="val_acc")
    bundle(values[1], mode=mode)

    if moves:
        promote(registry, BUNDLE, alias="production", if_better="val_acc")
    else:
        with pytest.raises(GateError, match=rf"its val_acc {values[1]} is not better than {values[0]} of the present"):
            promote(registry, BUNDLE, alias="production", if_better="val_acc")

    assert registry.resolve(BUNDLE.at("production")).reference == BUNDLE.at("v1" if moves else "v0")


def test_scores_of_other_metrics_are_not_compared(registry: FolderRegistry, bundle: Any) -> None:
    bundle(0.5, monitor="val_loss", mode="min")
    with pytest.raises(UsageError, match="v0 is scored by val_loss, not by val_acc"):
        promote(registry, BUNDLE, alias="production", if_better="val_acc")
    promote(registry, BUNDLE, alias="production")
    bundle(0.9)

    with pytest.raises(UsageError, match="v0 is scored by val_loss, not by val_acc"):
        promote(registry, BUNDLE, alias="production", if_better="val_acc")


def test_what_has_no_score_is_not_compared(registry: FolderRegistry, bundle: Any) -> None:
    bundle()

    with pytest.raises(UsageError, match="has no score, so it cannot be compared"):
        promote(registry, BUNDLE, alias="production", if_better="val_acc")
    promote(registry, BUNDLE, alias="production")


def test_directions_that_differ_are_not_compared(registry: FolderRegistry, bundle: Any) -> None:
    bundle(0.5, mode="min")
    promote(registry, BUNDLE, alias="production")
    bundle(0.4, mode="max")

    with pytest.raises(UsageError, match=r"has mode max for .*:v1 and min for .*:v0"):
        promote(registry, BUNDLE, alias="production", if_better="val_acc")


def test_a_checkpoint_needs_its_score(registry: FolderRegistry, tmp_path: Path) -> None:
    checkpoint(registry, tmp_path / "source", "a", score=None)
    with pytest.raises(GateError, match="has no score: nothing shows that it is good"):
        promote(registry, MODEL, alias="production")

    checkpoint(registry, tmp_path / "source", "b", score=0.3, monitor="val_loss", mode="min")
    promote(registry, MODEL, alias="production")
    # As W&B's logger writes it.
    checkpoint(registry, tmp_path / "source", "c", score=0.2, ModelCheckpoint={"monitor": "val_loss", "mode": "min"})

    done = promote(registry, MODEL, alias="production", if_better="val_loss")
    assert done.version.reference == MODEL.at("v2")


def test_damaged_files_are_not_promoted_but_can_be_replaced(registry: FolderRegistry, tmp_path: Path) -> None:
    score = {"monitor": "val_acc", "mode": "max"}
    checkpoint(registry, tmp_path / "source", "a", score=0.3, **score)
    promote(registry, MODEL, alias="production")
    held = registry.fetch(MODEL) / "model.ckpt"
    checkpoint(registry, tmp_path / "source", "b", score=0.4, **score)
    held.chmod(0o644)
    held.write_text("A")

    with pytest.raises(ArtifactError, match="was changed"):
        promote(registry, MODEL.at("v0"), alias="best")
    promote(registry, MODEL, alias="production", if_better="val_acc")


def test_what_does_not_exist_is_not_found(registry: FolderRegistry, bundle: Any) -> None:
    bundle(0.5)

    with pytest.raises(NotFoundError):
        promote(registry, BUNDLE.at("v7"), alias="production")
    with pytest.raises(UsageError, match="cannot be an alias"):
        promote(registry, BUNDLE, alias="v9")
