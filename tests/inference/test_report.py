from pathlib import Path

from rich.console import Console

from lit_infer.folder import Summary
from lit_infer.predictor import Choice, Prediction
from lit_infer.report import predictions_table, summary_lines
from tests.inference.tiny import described


def good(path: str, label: str = "red", *others: str) -> Prediction:
    top = tuple(Choice(name, index, 0.9 / (index + 1)) for index, name in enumerate((label, *others)))
    return Prediction(path, label=label, index=0, score=0.9, top=top)


def bad(path: str) -> Prediction:
    return Prediction(path, error="the file is empty", code="empty")


def lines(summary: Summary, rows: int) -> list[str]:
    console = Console(width=200, force_terminal=False)
    with console.capture() as capture:
        console.print(predictions_table(summary, rows=rows))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_errors_come_before_all_else_and_the_table_ends_where_it_is_told() -> None:
    summary = Summary((good("a.png"), bad("b.png"), good("c.png"), bad("d.png")), seconds=1.0, output=None)

    header, *found = lines(summary, rows=3)

    assert header.split() == ["image", "label", "score", "next"]
    assert [line.split()[0] for line in found] == ["b.png", "d.png", "a.png"]
    assert found[0].endswith("the file is empty")


def test_the_next_best_classes_stand_beside_the_best() -> None:
    (_, found) = lines(Summary((good("a.png", "red", "green", "blue", "black"),), seconds=1.0, output=None), rows=9)

    assert found.split() == ["a.png", "red", "0.900", "green", "0.450", "blue", "0.300"]


def test_brackets_in_names_are_text_and_no_markup() -> None:
    summary = Summary((good("[red]a[/red].png", "[b]", "[/i]"),), seconds=1.0, output=None)

    found = lines(summary, rows=1)[1]

    assert found.split() == ["[red]a[/red].png", "[b]", "0.900", "[/i]", "0.450"]


def test_the_summary_says_how_many_how_quickly_and_where_to() -> None:
    summary = Summary((good("a.png"), bad("b.png")), seconds=0.5, output=Path("out.jsonl"))

    assert summary_lines(summary, described()) == [
        "2 images in 0.50 s, 4 images/s, 1 failed",
        "written to out.jsonl",
    ]


def test_the_accuracy_is_told_where_the_folders_are_the_labels() -> None:
    summary = Summary((good("red/a.png"), good("blue/b.png")), seconds=1.0, output=None)

    assert summary_lines(summary, described())[1] == "accuracy 0.5000 (1 of 2; the folders' names are the labels)"


def test_a_run_that_took_no_time_divides_by_nothing() -> None:
    assert summary_lines(Summary((good("a.png"),), seconds=0.0, output=None), described()) == [
        "1 image in 0.00 s, 0 images/s"
    ]
