"""`lit-bench` as users run it."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lit_infer import manifest
from tests.conftest import run_command
from tests.inference.tiny import listed, make_bundle, rewrite, without

QUICK = ("--seconds", "0.05", "--batch-sizes", "1,2")


def bench(cwd: Path, *arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_command(["lit-bench", *map(str, arguments)], cwd, **environment)


def test_json_holds_all_that_was_measured_and_where(tmp_path: Path, bundle_folder: Path) -> None:
    done = bench(tmp_path, "-m", bundle_folder, "--json", *QUICK)

    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["model"] == str(bundle_folder)
    assert found["environment"]["cores"] >= 1
    assert [(row["format"], row["batch_size"]) for row in found["rows"]] == [("onnx", 1), ("onnx", 2)]
    assert all(row["p50_ms"] > 0 for row in found["rows"])


def test_a_table_goes_to_stdout_and_the_model_and_the_machine_to_stderr(tmp_path: Path, bundle_folder: Path) -> None:
    done = bench(tmp_path, "-m", bundle_folder / "model.onnx", *QUICK)

    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0][:2] == ["format", "batch"]
    assert [row[:2] for row in rows[1:]] == [["onnx", "1"], ["onnx", "2"]]
    assert done.stderr.startswith(f"model {bundle_folder}/model.onnx (colours@0123456789ab)")
    assert re.search(r"\d+ cores", done.stderr)


def test_batch_sizes_are_sorted_and_each_comes_once(tmp_path: Path, bundle_folder: Path) -> None:
    done = bench(tmp_path, "-m", bundle_folder, "--json", "-q", "--seconds", "0.05", "--batch-sizes", "4, 1,4")

    assert [row["batch_size"] for row in json.loads(done.stdout)["rows"]] == [1, 4]
    assert done.stderr == ""


@pytest.mark.parametrize("sizes", ["x", "0", "1,,2", "-1", "1.5", "4097", ",", "8,", ""])
def test_batch_sizes_that_make_no_sense_are_explained(sizes: str, tmp_path: Path, bundle_folder: Path) -> None:
    done = bench(tmp_path, "-m", bundle_folder, "--seconds", "0.05", "--batch-sizes", sizes)

    assert done.returncode == 2
    assert "expected whole numbers from 1 to 4096 with commas" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_default_model_is_named(tmp_path: Path, own_folders: Path) -> None:
    folder = make_bundle(own_folders / "bundles/colours-v3")

    done = bench(tmp_path, *QUICK)

    assert done.stderr.startswith(f"model {folder} ")


def test_without_a_model_the_ways_to_one_are_named(tmp_path: Path) -> None:
    done = bench(tmp_path, *QUICK)

    assert done.returncode == 2
    assert "no bundle below" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_format_without_its_engine_is_named_with_the_command_that_brings_it(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    (folder / "model.pt").write_bytes(b"never opened here")
    rewrite(folder, graphs=(*manifest.read(folder).graphs, listed(folder / "model.pt", "torchscript")))

    done = bench(tmp_path, "-m", folder, "--json", *QUICK, **without(tmp_path / "hide", "torch"))

    assert done.returncode == 0
    assert 'model.pt is left out: torch is not installed (pip install "lit-deploy[torch]")' in done.stderr
    assert {row["format"] for row in json.loads(done.stdout)["rows"]} == {"onnx"}


def test_help_does_not_import_numpy(tmp_path: Path) -> None:
    done = bench(tmp_path, "--help", PYTHONPROFILEIMPORTTIME="1")

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "lit_infer.bench.cli" in imported
    assert not {"numpy", "torch", "onnxruntime"} & imported
