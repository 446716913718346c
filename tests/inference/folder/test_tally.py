from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.folder.tally import SHOWN, Tally, meant
from lit_infer.predictions import Timings
from tests.inference.tiny import LABELS
from tests.support.rows import bad, good, summary


def test_the_accuracy_counts_images_that_lie_in_the_folder_of_their_class() -> None:
    rows = [good("x/red/1.png", "red"), good("x/red/2.png", "blue"), good("y/blue/1.png", "blue")]

    assert summary(*rows, labels=LABELS).accuracy == (2, 3)


def test_an_image_that_could_not_be_read_is_neither_right_nor_wrong() -> None:
    assert summary(good("red/1.png", "red"), bad("elsewhere/2.png"), labels=LABELS).accuracy == (1, 1)


@pytest.mark.parametrize(
    ("paths", "labels"),
    [(["red/1.png", "photos/2.png"], LABELS), (["1.png"], LABELS), (["red/1.png"], None), ([], LABELS)],
)
def test_there_is_no_accuracy_where_the_truth_is_not_known(paths: list[str], labels: Any) -> None:
    assert summary(*(good(path, "red") for path in paths), labels=labels).accuracy is None


@pytest.mark.parametrize(
    ("truth", "labels", "label"),
    [
        ("cat", ("dog", "cat"), "cat"),
        ("1", ("dog", "cat"), "cat"),
        ("2", ("dog", "cat"), None),
        ("bird", ("dog", "cat"), None),
        ("", ("dog", "cat"), None),
        ("\u0661", ("dog", "cat"), None),
        ("1", ("0", "1"), "1"),
        ("1", ("1", "0"), None),
        ("7", ("7", "8"), "7"),
        (None, ("dog", "cat"), None),
    ],
)
def test_a_class_is_a_label_or_its_index_and_never_a_guess(
    truth: str | None, labels: tuple[str, ...], label: str | None
) -> None:
    assert meant(truth, labels) == label


def test_what_the_source_says_goes_before_the_folder_where_it_says_it_of_every_image() -> None:
    def accuracy(*truths: str | None) -> tuple[Any, str]:
        tally = Tally(LABELS)
        for truth in truths:
            tally.add(good("s.tar/red/1.png", "red"), truth=truth)
        found = tally.summary(seconds=1.0)
        return found.accuracy, found.truth

    assert accuracy("1", "red", "0") == ((2, 3), "the .cls members have the labels")
    assert accuracy("1", None, "0") == ((3, 3), "the folders' names are the labels")


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, None])), min_size=1))
def test_the_counts_are_what_counting_gives(pairs: list[tuple[str, str | None]]) -> None:
    paths = [f"{truth}/{number}.png" for number, (truth, _) in enumerate(pairs)]
    rows = [good(path, label) if label else bad(path) for path, (_, label) in zip(paths, pairs, strict=True)]

    found = summary(*rows, labels=LABELS)

    read = [(truth, label) for truth, label in pairs if label is not None]
    assert found.accuracy == ((sum(a == b for a, b in read), len(read)) if read else None)
    assert (found.count, found.failed) == (len(pairs), len(pairs) - len(read))
    assert sum(found.labels.values()) == len(read)


def test_only_the_first_rows_are_held() -> None:
    found = summary(*(good(f"{number}.png") for number in range(100)), *(bad(f"{n}.png") for n in range(100)))

    assert [row["path"] for row in found.first] == [f"{number}.png" for number in range(SHOWN)]
    assert len(found.first_failed) == SHOWN


def test_the_work_of_each_stage_is_summed_in_seconds() -> None:
    tally = Tally(None)
    for _ in range(2):
        tally.add_time(Timings(1.0, 2.0, 3.0, 4.0), read_ms=500.0, write=0.25)

    found = {stage: round(seconds, 6) for stage, seconds in tally.summary(seconds=1.0).stages.items()}
    assert found == {"read": 1.002, "decode": 0.004, "resize": 0.006, "infer": 0.008, "write": 0.5}
