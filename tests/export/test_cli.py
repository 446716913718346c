"""lit-export as its user meets it: a process, its output and its exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import run_command
from tests.support.warm import run_warm


def test_help_answers_without_torch(tmp_path: Path) -> None:
    script = "import sys; sys.modules['torch'] = sys.modules['lightning'] = None; sys.argv = ['lit-export', '--help']\n"
    script += "from lit_export.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lit-export onnx --artifact" in done.stdout


def test_without_torch_the_extra_is_named(tmp_path: Path) -> None:
    script = "import sys; from importlib.abc import MetaPathFinder\n"
    script += "class Gone(MetaPathFinder):\n"
    script += "    def find_spec(self, name, path, target=None):\n"
    script += "        if name == 'torch': raise ModuleNotFoundError(name=name)\n"
    script += "sys.meta_path.insert(0, Gone()); sys.argv = ['lit-export', 'onnx', '--checkpoint', 'x.ckpt']\n"
    script += "from lit_export.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert 'pip install "lit-deploy[export]"' in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--checkpoint", "nowhere.ckpt"], "no checkpoint at nowhere.ckpt"),
        (["--artifact", "local/p/none:best"], "no local/p/none in the registry"),
        (["--artifact", "best"], "'best' does not say which project"),
    ],
)
def test_a_users_mistake_is_one_or_two_lines_and_exit_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run_warm(["lit-export", "onnx", *arguments, "--quiet"], tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert done.stdout == ""


@pytest.mark.slow
def test_a_graph_that_fails_its_check_exits_1_and_is_gone(tmp_path: Path, save: object, spec: Path) -> None:
    from tests.export import foreign

    checkpoint = save(foreign.BranchesOnBatchSize())  # type: ignore[operator]
    root = Path(__file__).parents[2]
    line = ["lit-export", "torchscript", "--checkpoint", str(checkpoint), "--out", str(tmp_path / "bundle")]
    line += ["--class", "tests.export.foreign:BranchesOnBatchSize", "--spec", str(spec)]
    done = run_warm(line, root)
    assert done.returncode == 1, done.stderr
    assert "parity failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "bundle").exists()


def parsed(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[object, list[str], dict[str, object]]:
    """What a command line asks the export for: its source, its formats, and the rest."""
    from lit_export import cli

    class AskedError(Exception):
        pass

    def note(source: object, to: list[str], **rest: object) -> None:
        raise AskedError(source, to, rest)

    monkeypatch.setattr(cli, "_exported", note)
    with pytest.raises(AskedError) as caught:
        cli.app(list(arguments), standalone_mode=False)
    return caught.value.args  # type: ignore[return-value]


EVERY_OPTION = """\
    --checkpoint x.ckpt --class pkg.mod:Net --hparam classes=3 --hparam name=resnet --trust-package a --trust-package b
    --submodule encoder.backbone --weights ema --spec spec.yaml --input 3x8x8 --input mask=8:bool --out bundle
    --precision fp32,int8 --dynamic height,width --static-batch 4 --opset 18 --calibration photos --int8-keep fc
    --int8-keep Gemm --keep-anyway --images some --data labelled --max-drop 0.01 --atol 0.1 --rtol 0.2 --license MIT
    --time-limit 60 --quiet
"""


@pytest.mark.slow
def test_every_option_reaches_the_export(monkeypatch: pytest.MonkeyPatch) -> None:
    from lit_export import Options

    source, formats, rest = parsed(monkeypatch, "onnx", *EVERY_OPTION.split())
    options = rest["options"]
    assert isinstance(options, Options)
    assert (source, formats, rest["out"], rest["quiet"]) == ("x.ckpt", ["onnx"], Path("bundle"), True)
    assert options.command.startswith("lit-export")
    assert options == Options(
        class_path="pkg.mod:Net",
        hparams={"classes": 3, "name": "resnet"},
        trust=("a", "b"),
        submodule="encoder.backbone",
        weights="ema",
        spec="spec.yaml",
        inputs=("3x8x8", "mask=8:bool"),
        precisions=("fp32", "int8"),
        dynamic=("height", "width"),
        static_batch=4,
        opset=18,
        calibration=Path("photos"),
        int8_keep=("fc", "Gemm"),
        keep_anyway=True,
        images=Path("some"),
        data=Path("labelled"),
        max_drop=0.01,
        atol=0.1,
        rtol=0.2,
        license="MIT",
        time_limit=60.0,
        command=options.command,
    )


@pytest.mark.slow
def test_all_is_every_format_that_needs_no_compiler_and_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    _, formats, _ = parsed(monkeypatch, "all", "--checkpoint", "x.ckpt")
    assert formats == ["onnx", "openvino", "pt2", "torchscript"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--precision", "fp61"], "--precision 'fp61': expected one of fp32, fp16, bf16, int8"),
        (["--precision", "fp32,"], "--precision '': expected one of fp32"),
        (["--precision", "int8"], "--precision int8 needs --calibration FOLDER"),
        (["--weights", "raw"], "--weights 'raw': expected one of model, ema"),
        (["--opset", "3"], "--opset 3"),
        (["--max-drop", "5"], "--max-drop 5"),
        (["--hparam", "classes"], "--hparam"),
        (["--artifact", "local/p/n:v1"], "give either --artifact REFERENCE or --checkpoint PATH"),
        (["--aot"], "--aot"),
    ],
)
def test_an_option_that_makes_no_sense_is_explained(arguments: list[str], message: str) -> None:
    from lit_export import cli
    from lit_infer.errors import UsageError

    with pytest.raises(UsageError) as caught:
        cli.app(["onnx", "--checkpoint", "x.ckpt", *arguments], standalone_mode=False)
    assert message in str(caught.value)


def test_the_help_of_every_command_fits_80_columns_and_needs_no_torch(tmp_path: Path) -> None:
    from tests.inference.tiny import without

    hidden = without(tmp_path / "hidden", "torch", "lightning", "onnx", "onnxruntime", "openvino")
    for command in ([], ["onnx"], ["all"], ["inspect"], ["sign"]):
        done = run_command(["lit-export", *command, "--help"], tmp_path, **hidden)
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert not any(line.endswith("...") and "ARGS" not in line for line in done.stdout.splitlines())


def test_a_bundle_is_inspected_and_signed_without_torch(tmp_path: Path) -> None:
    from tests.inference.tiny import make_bundle, rewrite, without
    from tests.keys import PASSWORD, key_pair

    bundle = rewrite(make_bundle(tmp_path / "bundle"), golden=None)
    hidden = without(tmp_path / "hidden", "torch", "lightning")
    done = run_command(["lit-export", "inspect", "bundle"], tmp_path, **hidden)
    assert done.returncode == 0, done.stderr
    assert "colours" in done.stdout

    private, _ = key_pair(tmp_path / "keys", password=PASSWORD)
    line = ["lit-export", "sign", "bundle", "--private-key", str(private)]
    for more, environment, message in (
        ([], {}, "is encrypted: give its password"),
        (["--password-env", "KEY_WORD"], {}, "--password-env KEY_WORD: the environment has no such variable"),
        (["--password-env", "KEY_WORD"], {"KEY_WORD": "wrong"}, "or the password is wrong"),
    ):
        done = run_command([*line, *more], tmp_path, **hidden, **environment)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
    done = run_command([*line, "--password-env", "KEY_WORD"], tmp_path, **hidden, KEY_WORD=PASSWORD)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stderr + done.stdout
    assert (bundle / "model.sig").is_file()


@pytest.mark.slow
def test_a_graph_that_loses_accuracy_exits_1_and_leaves_no_file(tmp_path: Path) -> None:
    """In bfloat16 this module's answers hardly change, which passes parity, and nearly all are wrong."""
    import numpy as np
    import torch
    from PIL import Image

    from tests.conftest import ROOT
    from tests.export.hard import NearTie

    torch.save({"state_dict": NearTie().state_dict()}, tmp_path / "x.ckpt")
    for place, grey in enumerate((0, 200, 250)):
        image = tmp_path / "data" / ("dark" if place == 0 else "bright") / f"{place}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), grey, dtype=np.uint8)).save(image)
    steps = "preprocess: [{resize: {size: [8, 8]}}]"
    (tmp_path / "spec.yaml").write_text(
        f"task: image-classification\n{steps}\nnormalize: null\nlabels: [wrong, bright, dark]\n"
    )
    line = ["lit-export", "torchscript", "--checkpoint", str(tmp_path / "x.ckpt")]
    line += ["--class", "tests.export.hard:NearTie"]
    line += ["--spec", str(tmp_path / "spec.yaml"), "--data", str(tmp_path / "data"), "--precision", "bf16"]
    done = run_warm([*line, "--out", str(tmp_path / "bundle")], ROOT)
    assert done.returncode == 1, done.stderr
    assert "accuracy fell from 100.00% (eager) to 33.33%, by 66.67 points; 0.5 are allowed" in done.stderr
    assert "no graph passed its checks, so no bundle was written" in done.stderr
    assert not (tmp_path / "bundle").exists()
    assert not list(tmp_path.rglob("model*"))


@pytest.mark.slow
def test_a_factory_alone_needs_no_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    source, _, _ = parsed(monkeypatch, "onnx", "--factory", "make:module")
    assert source is None
