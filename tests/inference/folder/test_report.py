from pathlib import Path

from rich.console import Console

from lit_infer.folder.report import predictions_table, summary_lines
from lit_infer.folder.tally import Summary, Tally
from tests.support.rows import bad, good, summary, table


def lines(found: Summary, rows: int) -> list[str]:
    console = Console(width=200, force_terminal=False)
    with console.capture() as capture:
        console.print(predictions_table(found, rows=rows))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_errors_come_before_all_else_and_the_table_ends_where_it_is_told() -> None:
    header, *found = lines(summary(good("a.png"), bad("b.png"), good("c.png"), bad("d.png")), rows=3)

    assert header.split() == ["image", "label", "score", "next"]
    assert [line.split()[0] for line in found] == ["b.png", "d.png", "a.png"]
    assert found[0].endswith("the file is empty")


def test_the_next_best_classes_stand_beside_the_best() -> None:
    (_, found) = lines(summary(good("a.png", "red", "green", "blue", "black")), rows=9)

    assert found.split() == ["a.png", "red", "0.900", "green", "0.450", "blue", "0.300"]


def test_brackets_in_names_are_text_and_no_markup() -> None:
    found = lines(summary(good("[red]a[/red].png", "[b]", "[/i]")), rows=1)[1]

    assert found.split() == ["[red]a[/red].png", "[b]", "0.900", "[/i]", "0.450"]


def test_an_image_below_the_threshold_has_no_label() -> None:
    found = lines(summary({**good("b.png"), "label": None}), rows=2)

    assert [line.split() for line in found[1:]] == [["b.png", "-", "0.900"]]


def test_the_summary_says_how_many_how_quickly_what_and_where_to() -> None:
    rows = [
        *[good(f"{label}.png", label) for label in "abcdef"],
        good("f2.png", "f"),
        bad("x"),
        bad("y", "odd"),
        bad("z"),
    ]
    found = summary(*rows, {**good("u"), "label": None}, seconds=0.5)

    assert summary_lines(found, written={"written to": Path("out.jsonl"), "report in": None}) == [
        "11 images in 0.50 s, 22 images/s, 3 failed",
        "classes: f 2, a 1, b 1, c 1, d 1, and 1 more",
        "below the threshold: 1",
        "errors: empty 2, odd 1",
        "written to out.jsonl",
    ]


def test_what_an_earlier_run_did_does_not_count_as_speed() -> None:
    found = summary(good("a.png"), good("b.png"), good("c.png"), resumed=2)

    assert summary_lines(found, written={})[0] == "3 images (2 were done before) in 1.00 s, 1 images/s"


def test_the_shares_of_the_work_are_told() -> None:
    tally = Tally(table())
    tally.add_time(None, read_ms=750.0, write=0.25)

    assert "work: read 75%, decode 0%, resize 0%, infer 0%, write 25%" in summary_lines(
        tally.summary(seconds=1.0), written={}
    )


def test_the_accuracy_is_told_where_the_folders_are_the_labels() -> None:
    found = summary(good("red/a.png"), good("blue/b.png"), labels=("red", "blue"))

    assert summary_lines(found, written={})[-1] == "accuracy 0.5000 (1 of 2; the folders' names are the labels)"


def test_a_run_that_took_no_time_divides_by_nothing() -> None:
    assert summary_lines(summary(good("a.png"), seconds=0.0), written={})[0] == "1 image in 0.00 s, 0 images/s"
