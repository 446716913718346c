from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.folder.tally import SHOWN, Tally
from lit_infer.predictions import Timings
from lit_infer.tasks.image_classification import ClassTally
from tests.inference.tiny import LABELS
from tests.support.rows import bad, good, summary, table


def test_the_accuracy_counts_images_that_lie_in_the_folder_of_their_class() -> None:
    rows = [good("x/red/1.png", "red"), good("x/red/2.png", "blue"), good("y/blue/1.png", "blue")]

    assert summary(*rows, labels=LABELS).answers.verdict().startswith("accuracy 0.6667 (2 of 3;")


def test_an_image_that_could_not_be_read_is_neither_right_nor_wrong() -> None:
    assert (
        summary(good("red/1.png", "red"), bad("elsewhere/2.png"), labels=LABELS)
        .answers.verdict()
        .startswith("accuracy 1.0000 (1 of 1;")
    )


@pytest.mark.parametrize(
    ("paths", "labels"),
    [(["red/1.png", "photos/2.png"], LABELS), (["1.png"], LABELS), (["red/1.png"], None), ([], LABELS)],
)
def test_there_is_no_accuracy_where_the_truth_is_not_known(paths: list[str], labels: Any) -> None:
    assert summary(*(good(path, "red") for path in paths), labels=labels).answers.verdict() == ""


def test_what_the_source_says_goes_before_the_folder_where_it_says_it_of_every_image() -> None:
    def accuracy(*truths: str | None) -> str:
        tally = Tally(table(LABELS))
        for truth in truths:
            tally.add(good("s.tar/red/1.png", "red"), truth=truth)
        return tally.summary(seconds=1.0).answers.verdict()

    assert accuracy("1", "red", "0") == "accuracy 0.6667 (2 of 3; the .cls members have the labels)"
    assert accuracy("1", None, "0") == "accuracy 1.0000 (3 of 3; the folders' names are the labels)"


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, None])), min_size=1))
def test_the_counts_are_what_counting_gives(pairs: list[tuple[str, str | None]]) -> None:
    paths = [f"{truth}/{number}.png" for number, (truth, _) in enumerate(pairs)]
    rows = [good(path, label) if label else bad(path) for path, (_, label) in zip(paths, pairs, strict=True)]

    found = summary(*rows, labels=LABELS)

    read = [(truth, label) for truth, label in pairs if label is not None]
    right = f"({sum(a == b for a, b in read)} of {len(read)};" if read else ""
    assert right in found.answers.verdict()
    assert bool(found.answers.verdict()) == bool(read)
    assert (found.count, found.failed) == (len(pairs), len(pairs) - len(read))
    assert isinstance(found.answers, ClassTally)
    assert sum(found.answers.labels.values()) == len(read)


def test_only_the_first_rows_are_held() -> None:
    found = summary(*(good(f"{number}.png") for number in range(100)), *(bad(f"{n}.png") for n in range(100)))

    assert [row["path"] for row in found.first] == [f"{number}.png" for number in range(SHOWN)]
    assert len(found.first_failed) == SHOWN


def test_the_work_of_each_stage_is_summed_in_seconds() -> None:
    tally = Tally(table())
    for _ in range(2):
        tally.add_time(Timings(1.0, 2.0, 3.0, 4.0), read_ms=500.0, write=0.25)

    found = {stage: round(seconds, 6) for stage, seconds in tally.summary(seconds=1.0).stages.items()}
    assert found == {"read": 1.002, "decode": 0.004, "resize": 0.006, "infer": 0.008, "write": 0.5}
