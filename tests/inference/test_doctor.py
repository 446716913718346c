"""`lit-infer doctor`: what is here, and a cure for what is not."""

import json
from pathlib import Path

import pytest

from lit_infer.doctor import Finding, can_run, doctor
from lit_infer.engines import ENGINES, Engine
from tests.conftest import run_command
from tests.inference.tiny import without


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    found = {finding.subject: finding for finding in findings}
    assert len(found) == len(findings)
    return found


def test_each_engine_is_looked_for_and_its_version_told() -> None:
    found = by_subject(doctor())

    assert set(ENGINES) < set(found)
    assert found["onnx"].is_here
    assert found["onnx"].said.startswith("onnxruntime 1.")


def test_what_is_not_installed_has_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "is_installed", lambda _: False)
    findings = doctor()

    for name, engine in ENGINES.items():
        assert by_subject(findings)[name].cure == f'pip install "lit-deploy[{engine.extra}]"'
    assert not can_run(findings)


def test_a_folder_that_cannot_be_written_to_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert by_subject(doctor())["artifacts"].is_here
    monkeypatch.setattr("os.access", lambda *_: False)

    finding = by_subject(doctor())["artifacts"]

    assert (finding.is_here, finding.cure) == (False, "Set LIT_ARTIFACTS to a folder of your own")


def test_registries_that_may_be_online_say_whether_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")

    assert str(by_subject(doctor())["W&B"]) == "W&B          no   W&B at https://api.wandb.ai: WANDB_MODE=offline"


@pytest.mark.slow
def test_the_command_prints_a_line_each_or_json_and_fails_where_nothing_can_run(tmp_path: Path) -> None:
    done = run_command(["lit-infer", "doctor"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "onnx         yes" in done.stdout

    bare = run_command(
        ["lit-infer", "doctor", "--json"], tmp_path, **without(tmp_path / "no", "onnxruntime", "torch", "openvino")
    )
    assert bare.returncode == 1
    found = {finding["subject"]: finding for finding in json.loads(bare.stdout)}
    assert found["onnx"]["cure"] == 'pip install "lit-deploy[cpu]"'
