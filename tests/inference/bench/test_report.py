from dataclasses import replace

from rich.console import Console

from lit_infer.bench.measure import Row
from lit_infer.bench.report import table

ROW = Row("onnx", "onnxruntime", "cpu", 1, calls=9, p50_ms=2, p90_ms=2.5, p99_ms=3, mean_ms=2.1, images_per_s=500)
ROWS = [
    replace(ROW, batch_size=4, images_per_s=900.4),
    ROW,
    replace(ROW, batch_size=8, images_per_s=1234.5),
    replace(ROW, batch_size=16, images_per_s=1100),
]


def lines(rows: list[Row], *, everything: bool) -> list[list[str]]:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table(rows, everything=everything))
    return [line.split() for line in capture.get().splitlines()]


def test_batch_one_and_the_best_batch_are_shown() -> None:
    _, *found = lines(ROWS, everything=False)

    assert found == [
        ["onnx", "1", "2.000", "2.500", "3.000", "500"],
        ["onnx", "8", "2.000", "2.500", "3.000", "1,234", "best", "batch"],
    ]


def test_everything_is_shown_in_order_where_it_is_asked_for() -> None:
    _, *found = lines(ROWS, everything=True)

    assert [line[1] for line in found] == ["1", "4", "8", "16"]


def test_each_format_has_its_own_best_batch() -> None:
    _, *found = lines([*ROWS, replace(ROW, format="torchscript", images_per_s=10)], everything=False)

    assert [(line[0], line[1]) for line in found if line[-1] == "batch"] == [("onnx", "8"), ("torchscript", "1")]
