"""lit_export.isolated: each format in a process of its own. Most children here are scripts that need no torch."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lit_export import isolated
from lit_export.formats import FORMATS
from lit_export.isolated import export_isolated
from lit_export.options import Options
from lit_infer import console, files, load, manifest
from lit_infer.errors import GateError, MissingExtraError, UsageError
from lit_infer.manifest import FormatName
from lit_infer.progress import Listener, Transferred, listening
from tests.conftest import ROOT
from tests.inference.tiny import make_bundle

_BEGIN = """
    import os, pickle, signal, subprocess, sys, time
    import msgspec
    from pathlib import Path
    from lit_export.isolated import ExportReply
    from lit_infer import manifest
    from lit_infer.manifest import Graph
    from tests.inference.tiny import DATE, described, graph_bytes, listed

    request = pickle.loads(sys.stdin.buffer.read())
    folder = request.out

    def answer(**what):
        sys.stdout.buffer.write(msgspec.json.encode(ExportReply(**what)))
        sys.exit()

    def make(name, golden="the golden answers"):
        folder.mkdir()
        (folder / "golden.npz").write_text(golden)
        (folder / name).write_bytes(graph_bytes(described().embedded()))
        graph = listed(folder / name, request.format)
        answer(manifest=described().completed(graphs=(graph,), golden="golden.npz", date=DATE), graphs=(graph,))
"""
BOTH: list[FormatName] = ["onnx", "torchscript"]


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have children run this text instead of an export; `request` is what they are asked for."""

    def be(text: str) -> None:
        script = f"sys_path = {str(ROOT)!r}\nimport sys; sys.path.insert(0, sys_path)\n"
        script += textwrap.dedent(_BEGIN) + textwrap.dedent(text)
        monkeypatch.setattr(isolated, "_CHILD", ("-c", script))

    return be


def export(out: Path, formats: Sequence[FormatName] = BOTH, **options: object) -> isolated.Bundle:
    return export_isolated("x.ckpt", formats, out=out, options=Options(**options))  # type: ignore[arg-type]


def test_what_the_children_made_becomes_one_bundle(children: Callable[[str], None], tmp_path: Path) -> None:
    children("make('model.onnx' if request.format == 'onnx' else 'model.pt', golden=request.format)")
    bundle = export(tmp_path / "b", ["torchscript", "onnx"])
    assert [graph.format for graph in bundle.attempted] == ["torchscript", "onnx"]
    assert [graph.format for graph in manifest.read(tmp_path / "b").graphs] == ["onnx", "torchscript"]
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        "golden.npz",
        "manifest.json",
        "model.onnx",
        "model.pt",
        "report.md",
    ]
    assert (tmp_path / "b" / "golden.npz").read_text() == "torchscript"  # of several the first
    assert bundle.manifest.golden_sha256 == files.sha256(tmp_path / "b" / "golden.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "its process was ended by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "its process was ended by SIGKILL, perhaps because memory ran out"),
        ("os._exit(3)", "its process ended with 3 and no answer"),
        ("print('not an answer')", "its process ended with 0 and no answer"),
        ("answer(error='wrong labels', kind='UsageError')", "wrong labels"),
    ],
)
def test_a_child_that_dies_stops_no_other(
    children: Callable[[str], None], tmp_path: Path, end: str, reason: str
) -> None:
    children(f"make('model.onnx') if request.format == 'onnx' else {end}")
    bundle = export(tmp_path / "b", ["onnx", "torchscript"])
    assert [graph.reason for graph in bundle.failed] == [reason]
    assert {graph.format: graph.status for graph in manifest.read(tmp_path / "b").graphs} == {
        "onnx": "ok",
        "torchscript": "failed",
    }
    assert load(tmp_path / "b").predict([np.zeros((8, 8, 3), dtype=np.uint8)])[0].error is None


def test_what_is_not_installed_is_left_out_with_a_line_and_is_no_failure(
    children: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = dataclasses.replace(FORMATS["openvino"], modules=("absent_engine",))
    monkeypatch.setitem(FORMATS, "openvino", absent)
    children("make('model.onnx')")
    said: list[str] = []

    with listening(Listener(note=said.append)):
        bundle = export(tmp_path / "b", ["openvino", "onnx"])

    assert said[0] == (
        "openvino: left out, since absent_engine is not installed. "
        'To have it: pip install "lit-deploy[export,openvino]"'
    )
    assert [graph.label for graph in bundle.manifest.graphs] == ["onnx"]
    assert bundle.failed == ()
    with pytest.raises(MissingExtraError, match="absent_engine, which is not installed"):
        export(tmp_path / "c", ["openvino"])


def test_the_format_after_one_that_died_is_made(children: Callable[[str], None], tmp_path: Path) -> None:
    children("os.abort() if request.format == 'onnx' else make('model.pt')")
    assert [graph.status for graph in export(tmp_path / "b").attempted] == ["failed", "ok"]


def test_what_every_format_would_meet_is_said_once(children: Callable[[str], None], tmp_path: Path) -> None:
    children(f"(Path({str(tmp_path)!r}) / request.format).touch(); answer(error='no such class', kind='UsageError')")
    with pytest.raises(UsageError, match="no such class"):
        export(tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["onnx"]


def test_where_every_child_dies_the_reasons_are_given(children: Callable[[str], None], tmp_path: Path) -> None:
    children("os._exit(7)")
    with pytest.raises(GateError, match=r"onnx: its process ended with 7 .*; torchscript: its process ended with 7"):
        export(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_another_bundle_in_the_folder_is_met_before_the_second_format(
    children: Callable[[str], None], tmp_path: Path
) -> None:
    other = manifest.Source(digest="f" * 64, class_path="tests.Other")
    make_bundle(tmp_path / "b", source=other)
    children(f"(Path({str(tmp_path)!r}) / request.format).touch(); make('model.onnx')")
    with pytest.raises(UsageError, match="another checkpoint"):
        export(tmp_path / "b")
    assert not (tmp_path / "torchscript").exists()


def test_a_child_beyond_its_time_is_ended_with_what_it_started(children: Callable[[str], None], tmp_path: Path) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    children(f"""
        if request.format == "onnx":
            make("model.onnx")
        held = os.open({str(fifo)!r}, os.O_WRONLY)
        subprocess.run(["sleep", "1000"], pass_fds=[held])
    """)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    bundle = export(tmp_path / "b", time_limit=5.0)
    assert [graph.reason for graph in bundle.failed] == ["it took longer than 5 s (--time-limit)"]
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # nobody holds the other end: child and grandchild are gone
    os.close(reader)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_child_outlives_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    """The real child, stopped where it would begin: it hangs as an exporter might."""
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    parent = f"""
        import sys
        from pathlib import Path
        from lit_export import isolated
        isolated._CHILD = ("-c", '''if True:
            import os, sys, subprocess, threading
            from lit_export import isolated
            threading.Thread(target=isolated._end_with_the_parent, args=[int(sys.argv[1])], daemon=True).start()
            held = os.open({str(fifo)!r}, os.O_WRONLY)
            os.write(held, b"here")
            subprocess.run(["sleep", "1000"], pass_fds=[held])
        ''')
        isolated.export_isolated("x.ckpt", ["onnx"], out=Path({str(tmp_path / "b")!r}))
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(parent)], stderr=subprocess.DEVNULL)
    with fifo.open("rb") as reader:
        assert reader.read(4) == b"here"
        process.send_signal(number)
        assert reader.read() == b""
    process.wait()
    if number == signal.SIGINT:
        assert [path.name for path in tmp_path.iterdir()] == ["alive"]


def test_a_format_is_made_in_the_precisions_that_it_can_have(children: Callable[[str], None], tmp_path: Path) -> None:
    children("""
        name = request.format
        graphs = tuple(Graph(format=name, status="failed", precision=one, reason=name)
                       for one in request.options.precisions)
        answer(manifest=described(), graphs=graphs)
    """)
    notes: list[str] = []
    options = Options(precisions=("fp32", "fp16"))
    with listening(Listener(note=notes.append)):
        bundle = export_isolated("x.ckpt", BOTH, out=tmp_path / "b", options=options)
    assert [graph.label for graph in bundle.attempted] == ["onnx", "onnx fp16", "torchscript"]
    assert notes == ["torchscript: not in fp16, which it does not support; it supports fp32, bf16"]
    with pytest.raises(UsageError, match="none of onnx supports bf16"):
        export(tmp_path / "b", ["onnx"], precisions=("bf16",))


def test_what_a_child_tells_is_told_here_and_what_holds_for_all_of_them_once(
    children: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    children("""
        from lit_export import relay
        from lit_infer import progress
        with progress.listening(relay.listener(int(sys.argv[2]))):
            progress.note_once("registry: W&B")
            progress.note("load")
            progress.note(f"{request.format}: write")
            progress.warn("mind")
            with progress.transfer("download") as told:
                told(1, 4)
                told(4, 4)
        make("model.onnx" if request.format == "onnx" else "model.pt")
    """)
    heard: list[str] = []

    @contextmanager
    def transfer(task: str) -> Iterator[Transferred]:
        yield lambda done, total: heard.append(f"{task} {done}/{total}")
        heard.append("arrived")

    def once(text: str) -> None:
        heard.append(f"once {text}")

    with listening(Listener(note=heard.append, note_once=once, warn=heard.append, transfer=transfer)):
        export(tmp_path / "b", ["onnx"])
    assert heard == [
        *("once registry: W&B", "onnx: load", "onnx: write", "onnx: mind"),
        *("download 1/4", "download 4/4", "arrived"),
    ]
    with console.listening(quiet=False):
        export(tmp_path / "c")
    said = capsys.readouterr().err.splitlines()
    assert said.count("registry: W&B") == 1
    assert {"onnx: load", "torchscript: load", "onnx: mind", "torchscript: mind"} <= set(said)
    with console.listening(quiet=True):
        export(tmp_path / "d", ["onnx"])
    assert capsys.readouterr().err == "onnx: mind\n"


def test_a_child_that_dies_amid_a_word_is_a_failed_graph(children: Callable[[str], None], tmp_path: Path) -> None:
    children("""
        if request.format == "onnx":
            os.write(int(sys.argv[2]), b'["note", "whole"]' + bytes([10]) + b'["note", "cut o')
            os.abort()
        make("model.pt")
    """)
    heard: list[str] = []
    with listening(Listener(note=heard.append)):
        bundle = export(tmp_path / "b")
    assert [graph.status for graph in bundle.attempted] == ["failed", "ok"]
    assert heard == ["onnx: whole"]


def test_all_that_can_be_asked_for_reaches_the_child(children: Callable[[str], None], tmp_path: Path) -> None:
    children("answer(error=repr(request.options), kind='GateError')")
    options = Options(
        hparams={"shape": (1, 2), "name": "x"},
        spec=Path("spec.yaml"),
        images=Path("images"),
        calibration=Path("photos"),
        precisions=("fp32",),
        dynamic=("height",),
    )
    with pytest.raises(GateError) as caught:
        export_isolated("x.ckpt", ["onnx"], out=tmp_path / "b", options=options)
    assert str(caught.value) == repr(options).replace("publish=True", "publish=False")


@pytest.mark.slow
def test_an_exporter_that_crashes_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The whole way: a checkpoint of a module that kills its process while it is traced, and only then."""
    import torch

    from tests.export.hard import DiesWhenTraced

    torch.save({"state_dict": DiesWhenTraced().state_dict()}, tmp_path / "x.ckpt")
    monkeypatch.chdir(ROOT)  # where the child finds tests.export.hard
    options = Options(class_path="tests.export.hard:DiesWhenTraced")
    notes: list[str] = []
    with listening(Listener(note=notes.append)):
        bundle = export_isolated(tmp_path / "x.ckpt", ["torchscript", "pt2"], out=tmp_path / "b", options=options)
    reasons = {graph.format: graph.reason for graph in bundle.attempted}
    assert reasons == {"torchscript": "its process was ended by SIGSEGV", "pt2": None}
    rows = np.ones((3, 4), dtype=np.float32)
    np.testing.assert_allclose(load(tmp_path / "b").run({"rows": rows})["output"], rows.sum(1, keepdims=True))
    assert [note for note in notes if "write" in note] == ["torchscript: write", "pt2: write"]
    assert notes.count("pt2: load the checkpoint") == 1
    assert "pt2: write" not in capfd.readouterr().err


def test_a_module_that_has_other_weights_in_each_process_is_refused(
    children: Callable[[str], None], tmp_path: Path
) -> None:
    children("""
        if request.format == "onnx":
            make("model.onnx")
        source = msgspec.structs.replace(described().source, digest="f" * 64)
        answer(manifest=msgspec.structs.replace(described(), source=source), graphs=())
    """)

    bundle = export_isolated(None, BOTH, out=tmp_path / "b", options=Options(factory="make:module"))

    assert [graph.format for graph in bundle.manifest.graphs if graph.status == "ok"] == ["onnx"]
    assert "the weights are others than before: --factory must make the same" in (bundle.failed[0].reason or "")
