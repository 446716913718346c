"""lit_export.inputs.real: calls of the module on the user's own data."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lit_export import Options, export
from lit_export.inputs.real import real_inputs, refuse
from lit_infer import load, manifest, progress
from lit_infer.errors import ArtifactError, UsageError
from tests.cases import modules
from tests.export.inputs.real_data import DOMAINS, ROWS, Experts

HERE = "tests.export.inputs.real_data"


def test_a_module_is_proven_on_its_validation_data(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Experts()

    export(module, out=tmp_path / "bundle", options=Options(data_module=f"{HERE}:Data"))

    described = manifest.read(tmp_path / "bundle")
    assert [(one.name, one.shape) for one in described.inputs] == [("x", ("batch", 4)), ("domain", ("batch",))]
    golden = np.load(tmp_path / "bundle" / "golden.npz")
    real = (ROWS / 80).numpy()
    assert all((row == real).all(1).any() for row in golden["x"])
    with load(tmp_path / "bundle") as model, torch.no_grad():
        found = model.run({"x": real[:5], "domain": DOMAINS[:5].numpy()})
        truth = module.eval()(torch.from_numpy(real[:5]), DOMAINS[:5], scale=2.0)
    np.testing.assert_allclose(found["output"], truth.numpy(), atol=1e-5)


def test_a_function_of_the_user_s_may_say_what_forward_gets() -> None:
    module = Experts().eval()
    options = Options(data_module=f"{HERE}:Data", batch_to_inputs=f"{HERE}:to_inputs")

    found = real_inputs(module, module, options)

    assert found is not None
    assert list(found.candidates[0][1]) == ["x", "domain"]
    with pytest.raises(ArtifactError, match=r"--batch-to-inputs .*to_nothing failed: TypeError: .*real_data.py:\d"):
        real_inputs(module, module, Options(data_module=f"{HERE}:Data", batch_to_inputs=f"{HERE}:to_nothing"))


def test_the_batch_is_what_a_predict_step_gets() -> None:
    module = modules.PredictOnly()

    found = real_inputs(module, module, Options(data_module=f"{HERE}:loader"))

    assert found is not None
    ((args, kwargs),) = found.candidates
    assert (len(args[0]), kwargs) == (2, {"batch_idx": 0})
    assert len(found.more) == 3


def test_data_that_only_a_configuration_describes_are_left_out_with_a_line_where_they_fail(tmp_path: Path) -> None:
    module, notes = Experts().eval(), list[str]()
    plain, broken = tmp_path / "plain.yaml", tmp_path / "broken.yaml"
    plain.write_text(f"model: {{class_path: {HERE}.Experts}}\n")
    broken.write_text(f"{plain.read_text()}data: {{class_path: {HERE}.Broken}}\n")

    assert real_inputs(module, module, Options(config=plain)) is None
    with progress.listening(progress.Listener(note=notes.append)):
        assert real_inputs(module, module, Options(config=broken)) is None
    (said,) = notes
    assert "broken.yaml are not compared on: the data of" in said
    assert "FileNotFoundError: no such folder: /data" in said


def test_options_that_go_together_and_those_that_do_not() -> None:
    module = Experts()
    assert real_inputs(module, module, Options()) is None
    with pytest.raises(UsageError, match="--batch-to-inputs needs batches: give --data-module"):
        real_inputs(module, module, Options(batch_to_inputs=f"{HERE}:to_inputs"))
    with pytest.raises(UsageError, match="--inputs is for bare tensor graphs; a task is compared on image files"):
        refuse(Options(input_file=Path("x.npz")), "a task")
