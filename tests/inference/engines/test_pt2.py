"""Programs of torch.export: what runs, and what is refused because torch would run code of the file's author."""

import json
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer import manifest
from lit_infer.engines.opened import MANIFEST_KEY, OpenGraph
from lit_infer.engines.pt2 import open_graph
from lit_infer.errors import EngineError
from tests.inference.engines.torch_contract import TorchEngineContract
from tests.inference.tiny import described

MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a torch.export program, with its manifest."""
    return exported(tmp_path_factory.mktemp("graphs") / "model.pt2", manifest.encode(described().embedded()).decode())


def exported(path: Path, embedded: str | None, *, pair: bool = False) -> Path:
    import torch
    from torch import Tensor, nn

    class Colours(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.eye(3) / 64)

        def forward(self, images: Tensor) -> Any:
            means = images.float().mean((1, 2))
            scores = (means @ self.weight).softmax(-1)
            return (scores, means) if pair else scores

    program = torch.export.export(
        Colours().eval(),
        (torch.zeros(2, 8, 8, 3, dtype=torch.uint8),),
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    torch.export.save(program, path, extra_files={MANIFEST_KEY: embedded} if embedded else {})
    return path


class TestTorchExport(TorchEngineContract):
    suffix, kind = ".pt2", "torch.export"

    @staticmethod
    def open_graph(path: Path, *, device: str, threads: int) -> OpenGraph:
        return open_graph(path, device=device, threads=threads)

    @staticmethod
    def make(path: Path, embedded: str | None, *, pair: bool = False) -> Path:
        return exported(path, embedded, pair=pair)


def test_several_threads_may_run_one_graph(graph: Path) -> None:
    run = open_graph(graph, device="cpu", threads=1).run
    batches = [np.full((2, 8, 8, 3), value, dtype=np.uint8) for value in range(40)]
    expected = [run([batch])[0] for batch in batches]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: run([batch])[0], batches))

    np.testing.assert_array_equal(np.stack(found), np.stack(expected))


# What an attacker may do to a good file. Each change is of records by name; None removes one.
Records = dict[str, bytes]


class Gadget:
    """Unpickling this creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def pickled(marker: Path) -> bytes:
    return pickle.dumps(Gadget(marker))


def saved(marker: Path) -> bytes:
    """As `torch.save` writes it, for what goes through `torch.load`."""
    import io

    import torch

    buffer = io.BytesIO()
    torch.save((Gadget(marker), {}), buffer)
    return buffer.getvalue()


def edit(records: Records, name: str, change: Callable[[Any], object]) -> None:
    document = json.loads(records[name])
    change(document)
    records[name] = json.dumps(document).encode()


def sample_inputs(records: Records, marker: Path) -> None:
    records["data/sample_inputs/model.pt"] = saved(marker)


def pickled_weight(records: Records, marker: Path) -> None:
    records["data/weights/weight_0"] = saved(marker)
    edit(records, WEIGHTS, lambda config: config["config"]["weight"].update(use_pickle=True))


def opaque_constant(records: Records, marker: Path) -> None:
    records["data/constants/opaque_obj_0"] = pickled(marker)
    payload = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    edit(records, CONSTANTS, lambda config: config["config"].update(gadget=payload))


def opaque_constant_under_the_name_of_a_tensor(records: Records, marker: Path) -> None:
    records["data/constants/tensor_0"] = pickled(marker)
    payload = {"path_name": "opaque_obj_0/../tensor_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    edit(records, CONSTANTS, lambda config: config["config"].update(gadget=payload))


def custom_object(records: Records, marker: Path) -> None:
    records["data/constants/custom_obj_0"] = pickled(marker)


def legacy_weights(records: Records, marker: Path) -> None:
    records["data/weights/model.pt"] = saved(marker)


def shared_library(records: Records, marker: Path) -> None:
    records["data/aotinductor/model/wrapper.so"] = b"\x7fELF"


def second_model(records: Records, marker: Path) -> None:
    records["models/other.json"] = records[MODEL]


def evaluated_size(records: Records, marker: Path) -> None:
    code = f"__import__('pathlib').Path({str(marker)!r}).touch() or Integer(2)"
    records[MODEL] = records[MODEL].replace(b"Symbol('", json.dumps(code)[1:-1].encode() + b" + Symbol('", 1)


def executed_guard(records: Records, marker: Path) -> None:
    guard = f"__import__('pathlib').Path({str(marker)!r}).touch() is None"
    edit(records, MODEL, lambda model: model["guards_code"].append(guard))


def code_in_a_name(records: Records, marker: Path) -> None:
    name = f"images=__import__('pathlib').Path({str(marker)!r}).touch()"
    records[MODEL] = records[MODEL].replace(b'"images"', json.dumps(name).encode())


def any_function(records: Records, marker: Path) -> None:
    def change(model: Any) -> None:
        node = model["graph_module"]["graph"]["nodes"][0]
        node["target"] = "torch.os.system"
        node["inputs"] = [{"name": "", "arg": {"as_string": f"touch {marker}"}, "kind": 1}]

    edit(records, MODEL, change)


def function_behind_an_operator(records: Records, marker: Path) -> None:
    edit(
        records, MODEL, lambda model: model["graph_module"]["graph"]["nodes"][0].update(target="_operator.methodcaller")
    )


def file_of_the_host(records: Records, marker: Path) -> None:
    def change(model: Any) -> None:
        model["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.from_file.default"

    edit(records, MODEL, change)


def operator_of_torchscript_only(records: Records, marker: Path) -> None:
    edit(
        records,
        MODEL,
        lambda model: model["graph_module"]["graph"]["nodes"][0].update(target="torch.ops.aten.save.default"),
    )


def module_to_import(records: Records, marker: Path) -> None:
    def change(model: Any) -> None:
        context = json.dumps([{"__enum__": True, "fqn": "antigravity:geohash", "name": "x"}])
        spec = [1, {"type": "builtins.dict", "context": context, "children_spec": []}]
        model["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps(spec)

    edit(records, MODEL, change)


def class_in_a_tree(records: Records, marker: Path) -> None:
    def change(model: Any) -> None:
        spec = [1, {"type": "collections.defaultdict", "context": '["os", "system"]', "children_spec": []}]
        model["graph_module"]["module_call_graph"][0]["signature"]["out_spec"] = json.dumps(spec)

    edit(records, MODEL, change)


def nothing(records: Records, marker: Path) -> None:
    pass


ATTACKS = [
    sample_inputs,
    pickled_weight,
    opaque_constant,
    opaque_constant_under_the_name_of_a_tensor,
    custom_object,
    legacy_weights,
    shared_library,
    second_model,
    evaluated_size,
    executed_guard,
    code_in_a_name,
    any_function,
    function_behind_an_operator,
    file_of_the_host,
    operator_of_torchscript_only,
    module_to_import,
    class_in_a_tree,
]


def rewritten(graph: Path, path: Path, attack: Callable[[Records, Path], None], marker: Path) -> Path:
    """The good file with its records changed, written by PyTorch's own writer."""
    import torch

    reader = torch._C.PyTorchFileReader(str(graph))
    own = ("version", ".data/version", ".data/serialization_id", "byteorder")
    records = {name: reader.get_record(name) for name in reader.get_all_records() if name not in own}
    attack(records, marker)
    writer = torch._C.PyTorchFileWriter(str(path))
    for name, data in records.items():
        writer.write_record(name, data, len(data))
    writer.write_end_of_file()
    return path


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_file_that_would_run_code_is_refused_and_does_not_run_it(
    attack: Callable[[Records, Path], None], graph: Path, tmp_path: Path
) -> None:
    path, marker = tmp_path / "model.pt2", tmp_path / "ran"
    rewritten(graph, path, attack, marker)

    with pytest.raises(EngineError, match="is refused, because loading it could run code") as caught:
        open_graph(path, device="cpu", threads=1).run([np.zeros((1, 8, 8, 3), dtype=np.uint8)])

    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("attack", [sample_inputs, pickled_weight, opaque_constant, evaluated_size, executed_guard])
def test_the_attacks_are_real_torch_itself_runs_them(
    attack: Callable[[Records, Path], None], graph: Path, tmp_path: Path
) -> None:
    import torch

    path, marker = tmp_path / "model.pt2", tmp_path / "ran"
    rewritten(graph, path, attack, marker)

    try:
        torch.export.load(path).module()(torch.zeros(2, 8, 8, 3, dtype=torch.uint8))
    except Exception as error:
        assert marker.exists(), error  # noqa: PT017 - the failure afterwards is of no interest

    assert marker.exists()


def test_a_file_rewritten_without_a_change_is_still_opened(graph: Path, tmp_path: Path) -> None:
    path = rewritten(graph, tmp_path / "model.pt2", nothing, tmp_path / "ran")

    assert open_graph(path, device="cpu", threads=1).embedded is not None


def test_the_older_format_is_not_tried(tmp_path: Path) -> None:
    import zipfile

    path, marker = tmp_path / "model.pt2", tmp_path / "ran"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version", "8.20")
        for name in ("exported_program.json", "state_dict.pt", "constants.pt", "example_inputs.pt"):
            archive.writestr(f"serialized_{name}", saved(marker))

    with pytest.raises(EngineError):
        open_graph(path, device="cpu", threads=1)

    assert not marker.exists()
