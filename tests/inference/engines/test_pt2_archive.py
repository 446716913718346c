"""What a `.pt2` archive may hold. Whole programs, and what torch would do with bad ones, test_pt2 looks at."""

import io
import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_infer.engines.pt2_archive import UnsafeArchiveError, check

MODEL = "models/model.json"
PLAIN: dict[str, bytes] = {
    MODEL: b"{}",
    "data/weights/model_weights_config.json": b"{}",
    "data/constants/model_constants_config.json": b"{}",
    "data/sample_inputs/model.pt": b"",
}


def archive(records: dict[str, bytes]) -> io.BytesIO:
    """A `.pt2` file with these records, by PyTorch's own writer."""
    buffer = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(buffer)
    for name, data in records.items():
        writer.write_record(name, data, len(data))
    writer.write_end_of_file()
    buffer.seek(0)
    return buffer


def check_model(model: Any) -> None:
    check(torch, archive({**PLAIN, MODEL: json.dumps(model).encode()}))


names = st.text("abcxyz_0123 .,:+*-<>/", max_size=12)
plain = st.recursive(
    names | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(model=plain)
@settings(max_examples=60)
def test_names_and_numbers_pass_however_they_are_nested(model: Any) -> None:
    check_model(model)


@given(model=plain, bad=st.sampled_from(list("()='\"\\;[]{}\n\0é")), below=st.lists(st.sampled_from("abc"), max_size=4))
@settings(max_examples=60)
def test_one_character_that_could_be_code_is_found_however_deep(model: Any, bad: str, below: list[str]) -> None:
    inner: Any = f"x{bad}"
    for key in below:
        inner = {key: [model, inner]}

    with pytest.raises(UnsafeArchiveError, match="is not a plain name"):
        check_model(inner)


def test_a_key_is_checked_as_a_value_is_and_metadata_is_never_run() -> None:
    with pytest.raises(UnsafeArchiveError, match="is not a plain name"):
        check_model({"__import__('os')": 1})
    check_model({"metadata": {"stack_trace": 'File "model.py", line 1'}})


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"target": "os.system"}, "it calls 'os.system'"),
        ({"target": "torch.ops.aten.from_file.default"}, "it calls 'torch.ops.aten.from_file.default'"),
        ({"as_operator": "torch.ops.aten.no_such_thing.default"}, "which this torch does not have"),
        ({"expr_str": "__import__('os')"}, "is not a plain size"),
        ({"guards_code": "L['x'].size()[0] == exit()"}, "is not a plain guard"),
        ({"custom_obj": "x"}, "an object that is not a tensor"),
        ({"in_spec": '{"type": "pathlib.Path"}'}, "of type 'pathlib.Path'"),
        ({"out_spec": '{"context": "[{}]"}'}, "keys that are not names"),
    ],
)
def test_what_torch_would_run_is_refused_with_the_reason(model: Any, reason: str) -> None:
    with pytest.raises(UnsafeArchiveError, match=reason):
        check_model({"graph": [model]})


@pytest.mark.parametrize(
    "model",
    [
        {"target": "torch.ops.aten.add.Tensor"},
        {"target": "_operator.mul"},
        {"target": "torch.sym_max"},
        {"expr_str": "Add(Mul(Integer(2), Symbol('s0', integer=True)), Integer(1))"},
        {"guards_code": "L['images'].size()[0] >= 2"},
        {"in_spec": '{"type": "builtins.tuple", "context": null, "children_spec": []}'},
        {"out_spec": '{"type": "builtins.dict", "context": "[\\"a\\", 1]"}'},
    ],
)
def test_what_a_plain_program_says_is_taken(model: Any) -> None:
    check_model({"graph": [model]})


@pytest.mark.parametrize("name", ["code/model.py", "models/other.json", "data/weights/weight_x", "extra/../up"])
def test_a_record_of_another_name_is_refused(name: str) -> None:
    with pytest.raises(UnsafeArchiveError, match="it holds "):
        check(torch, archive({**PLAIN, name: b"x"}))


@pytest.mark.parametrize("room", ["weights", "constants"])
@pytest.mark.parametrize(
    ("payload", "reason"),
    [({"use_pickle": True}, "as a pickle"), ({"path_name": "../../etc/passwd"}, "which is not a tensor")],
)
def test_a_payload_that_is_no_tensor_is_refused(room: str, payload: dict[str, Any], reason: str) -> None:
    config = json.dumps({"config": {"w": payload}}).encode()

    with pytest.raises(UnsafeArchiveError, match=reason):
        check(torch, archive({**PLAIN, f"data/{room}/model_{room}_config.json": config}))


def test_sample_inputs_are_tensors_and_nothing_else() -> None:
    def saved(value: Any) -> bytes:
        buffer = io.BytesIO()
        torch.save(value, buffer)
        return buffer.getvalue()

    check(torch, archive({**PLAIN, "data/sample_inputs/model.pt": saved([torch.zeros(2)])}))
    with pytest.raises(UnsafeArchiveError, match="not just tensors"):
        check(torch, archive({**PLAIN, "data/sample_inputs/model.pt": saved(io.StringIO)}))
