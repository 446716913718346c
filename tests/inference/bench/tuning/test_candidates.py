"""What tuning tries."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from lit_infer.bench.tuning.aims import Tried
from lit_infer.bench.tuning.candidates import open_candidates
from lit_infer.errors import ArtifactError, LitError, UsageError
from lit_infer.hardware import usable_cpus
from lit_infer.manifest import Graph
from tests.inference.tiny import listed, make_bundle, rewrite


def test_the_candidates_are_each_engine_with_1_to_all_threads(bundle_folder: Path) -> None:
    found = open_candidates(str(bundle_folder))
    subjects, left_out = found.subjects, found.left_out

    assert left_out == []
    assert {subject.name for subject in subjects} == {"onnx"}
    threads = [subject.predictor.threads for subject in subjects]
    assert threads == sorted(set(threads))
    assert (threads[0], threads[-1]) == (1, usable_cpus())


def test_an_engine_that_cannot_open_its_graph_is_left_out_with_the_reason(tmp_path: Path) -> None:
    broken = Graph(format="torchscript", status="ok", file="model.pt", sha256="0" * 64, bytes=1)
    folder = make_bundle(tmp_path / "bundle", broken)
    (folder / "model.pt").write_bytes(b"no graph")

    found = open_candidates(str(folder))
    subjects, left_out = found.subjects, found.left_out

    assert {subject.name for subject in subjects} == {"onnx"}
    assert [line.split(":")[0] for line in left_out] == ["torchscript is left out"]


def test_a_lone_graph_has_no_settings(bundle_folder: Path) -> None:
    with pytest.raises(UsageError, match="tune the bundle"):
        open_candidates(str(bundle_folder / "model.onnx"))


def test_what_is_tried_has_the_precision_that_load_takes(bundle_folder: Path) -> None:
    found = open_candidates(str(bundle_folder))

    assert found.graphs == {"onnx": ("onnx", "fp32")}
    assert found.manifest.name == "colours"


def with_int8(folder: Path) -> Path:
    make_bundle(folder)
    copy = shutil.copyfile(folder / "model.onnx", folder / "model.int8.onnx")
    graphs = (replace(listed(copy, "onnx"), precision="int8"), listed(folder / "model.onnx", "onnx"))
    return rewrite(folder, graphs=graphs)


@pytest.mark.parametrize(
    ("asked", "tried"),
    [
        ("auto", ["onnx"]),
        ("auto:int8", ["onnx", "onnx int8"]),  # the first is the default, which the other must beat
        ("int8", ["onnx int8"]),
        ("auto:fp16", ["onnx"]),
    ],
)
def test_another_precision_is_tried_where_it_is_allowed_knowingly(asked: str, tried: list[str], tmp_path: Path) -> None:
    found = open_candidates(str(with_int8(tmp_path / "bundle")), precision=asked)

    assert list(dict.fromkeys(subject.name for subject in found.subjects)) == tried
    chosen = found.settings(Tried(tried[-1], 1, 8, images_per_s=9))
    assert (chosen.engine, chosen.precision) == ("onnx", "int8" if "int8" in asked else "fp32")


def test_a_precision_that_the_bundle_does_not_have_is_refused(bundle_folder: Path) -> None:
    with pytest.raises(LitError, match="int8"):
        open_candidates(str(bundle_folder), precision="int8")


def test_a_default_that_cannot_be_opened_is_an_error_and_nothing_to_leave_out(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    (folder / "model.onnx").write_bytes(b"no graph")

    with pytest.raises(ArtifactError, match=r"model\.onnx"):
        open_candidates(str(folder))


def test_images_are_part_of_each_call(bundle_folder: Path, colours: Path) -> None:
    images = sorted(colours.rglob("*.png"))

    assert all(subject.images == images for subject in open_candidates(str(bundle_folder), images=images).subjects)
