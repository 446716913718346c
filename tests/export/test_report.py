"""lit_export.report: what a terminal shows of an export."""

from pathlib import Path

from rich.console import Console

from lit_export import report
from lit_export.bundle_folder import Bundle
from lit_infer import artifacts, manifest
from lit_infer.manifest import DataScore, FormatName, Graph, Latency, Parity, Precision, Proof, Score, Tensor
from tests.inference.tiny import described


def passed(format_: FormatName, file: str, precision: Precision = "fp32", score: float | None = 0.7) -> Graph:
    return Graph(
        format=format_,
        status="ok",
        precision=precision,
        file=file,
        bytes=46_830_571,
        parity=Parity(
            batches=(1, 2),
            inputs="images",
            max_abs=1.8e-7,
            max_rel=1e-5,
            cosine=1.0,
            agreement=0.995,
            atol=1e-5,
            rtol=1e-3,
        ),
        score=None if score is None else DataScore(metric="accuracy", value=score, eager=0.7056, images=360),
        latency=Latency(ms=17.5, batch_size=8, threads=2, cpu="x"),
    )


def failed(format_: FormatName = "torchscript") -> Graph:
    return Graph(format=format_, status="failed", reason="parity failed: [bold]by 0.3")


def bundle(*graphs: Graph, folder: str | None = "b", **changes: object) -> Bundle:
    complete = described(**changes).completed(graphs=graphs, golden=None, date=None)
    return Bundle(Path(folder) if folder else None, complete, graphs, None)


def shown(*graphs: Graph, proof: Proof | None = None) -> list[str]:
    console = Console(width=80, force_terminal=False)
    with console.capture() as capture:
        console.print(report.graphs_table(graphs, proof))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_the_table_fits_into_80_columns_with_all_that_it_may_hold() -> None:
    lines = shown(passed("openvino", "model.int8.onnx", "int8"), passed("onnx", "model.onnx"), failed())
    assert lines == [
        "format         status     MB  max diff  agree   score  ms/input  file",
        "openvino int8  ok      46.83   1.8e-07   100%  0.7000     17.50  model.int8.onnx",
        "onnx           ok      46.83   1.8e-07   100%  0.7000     17.50  model.onnx",
        "torchscript    failed",
    ]


def test_a_score_column_stands_only_where_scores_were_measured() -> None:
    assert "score" not in shown(passed("onnx", "model.onnx", score=None))[0]


STILL = Proof(inputs="noise", rows=14, varies=False)


def test_a_graph_whose_outputs_hardly_vary_is_compared_and_not_ok() -> None:
    rows = shown(passed("onnx", "model.onnx"), failed(), proof=STILL)[1:]
    assert [row.split()[1] for row in rows] == ["compared", "failed"]
    made = bundle(passed("onnx", "model.onnx"), proof=STILL)
    assert report.ending(made)[0] == "compared, and not proven: its outputs hardly vary"


def test_a_failure_is_told_with_its_reason_as_it_is() -> None:
    made = bundle(passed("onnx", "model.onnx"), failed())
    assert report.failures(made) == ["torchscript failed, no file is kept: parity failed: [bold]by 0.3"]


def test_scores_are_told_beside_those_of_the_module_and_of_training() -> None:
    source = manifest.Source(
        digest="0" * 64, class_path="x.Y", score=Score(monitor="val_acc", mode="max", value=0.71234)
    )
    assert report.scores(bundle(passed("onnx", "model.onnx"), source=source)) == [
        "eager module: accuracy 0.7056 on 360 labelled images",
        "the checkpoint recorded val_acc 0.7123",
    ]
    assert report.scores(bundle(passed("onnx", "model.onnx", score=None))) == []


def test_a_viewer_is_offered_for_the_file_that_is_there() -> None:
    assert (
        report.ending(bundle(passed("onnx", "model.int8.onnx", "int8")))[-1] == "view with:    netron b/model.int8.onnx"
    )
    assert "netron" not in "".join(report.ending(bundle(passed("torchscript", "model.pt"))))


def test_it_ends_with_what_was_made_and_the_next_commands() -> None:
    graph = passed("onnx", "model.onnx")
    made = bundle(graph)
    published = Bundle(made.folder, made.manifest, made.attempted, artifacts.parse("local/p/net-export:v1"))
    assert report.ending(published) == [
        "results saved to b",
        "published as local/p/net-export:v1",
        "predict with: lit-infer images/ --model b",
        "measure with: lit-bench --model b",
        "serve with:   lit-serve b",
        "view with:    netron b/model.onnx",
    ]


def test_rows_are_predicted_from_a_file_and_other_tensors_from_python() -> None:
    inputs = (Tensor(name="tokens", dtype="int64", shape=("batch", "length")),)
    made = bundle(passed("pt2", "model.pt2"), task="tensor", inputs=inputs, labels=None, preprocess=())
    assert "predict with: lit-infer batch.npz --model b" in report.ending(made)
    inputs = (Tensor(name="tokens", dtype="int64", shape=("length", "batch")),)
    made = bundle(passed("pt2", "model.pt2"), task="tensor", inputs=inputs, labels=None, preprocess=())
    assert report.ending(made)[1:] == [
        'predict with: lit_infer.load("b").run({"tokens": array})',
        "measure with: lit-bench --model b",
        "serve with:   lit-serve b",
    ]


def test_where_nothing_passed_it_says_so() -> None:
    assert report.ending(bundle(failed(), folder=None)) == ["no graph passed its checks, so no bundle was written"]
