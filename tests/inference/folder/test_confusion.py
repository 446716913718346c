"""lit_infer.folder.confusion: what was taken for what."""

from typing import Any

import pytest

from lit_infer.folder.confusion import Confused, Confusion, seems_wrong
from lit_infer.folder.table import Table
from lit_infer.tasks import TASKS
from tests.inference.tiny import LABELS
from tests.support.rows import bad, good, table


def confused(*rows: tuple[dict[str, Any], str | None], of: Table | None = None) -> Confused | None:
    counted = Confusion(of or table(LABELS))
    for row, truth in rows:
        counted.add(row, truth)
    return counted.result()


def test_pairs_are_counted_and_the_most_frequent_mistakes_come_first() -> None:
    found = confused(
        (good("x/red/1.png", "red"), None),
        (good("x/red/2.png", "blue"), None),
        (good("y/green/1.png", "blue"), None),
        (good("y/green/2.png", "blue"), None),
        (bad("anywhere/2.png"), None),
    )

    assert found is not None
    assert found.count == 4
    assert found.wrong == [(("green", "blue"), 2), (("red", "blue"), 1)]
    assert tuple(found.names) == LABELS


@pytest.mark.parametrize("truths", [("1", "red"), ("1", None), (None, None)])
def test_the_source_is_the_one_that_the_accuracy_is_of(truths: tuple[str | None, ...]) -> None:
    found = confused(*((good("s.tar/red/1.png", "red"), truth) for truth in truths))

    assert found is not None
    is_cls = None not in truths
    assert found.source == ("cls" if is_cls else "folder")
    assert (("green", "red") in found.pairs) is is_cls


def test_if_one_image_is_not_known_nothing_is_said_about_any() -> None:
    assert confused((good("red/1.png", "red"), None), (good("photos/1.png", "red"), None)) is None
    assert confused() is None


def test_an_image_seems_wrong_by_what_is_known_of_it_alone() -> None:
    assert seems_wrong(table(LABELS), good("red/1.png", "blue"), None)
    assert seems_wrong(table(LABELS), good("red/1.png", "red"), "2")
    assert not seems_wrong(table(LABELS), good("red/1.png", "red"), None)
    assert not seems_wrong(table(LABELS), good("photos/1.png", "red"), None)


def anomaly(path: str, *, is_anomalous: bool | None) -> tuple[dict[str, Any], None]:
    return {"path": path, "score": 0.5, "is_anomalous": is_anomalous, "error": None}, None


def test_anomalies_are_known_where_some_folder_is_good() -> None:
    task = TASKS["anomaly-detection"]
    of = Table(task, task.reading(labels=None, answers={"threshold": 0.4}, size=None), "model")
    cracks = [anomaly("test/crack/1.png", is_anomalous=True), anomaly("test/crack/2.png", is_anomalous=False)]

    found = confused(*cracks, anomaly("test/good/1.png", is_anomalous=False), of=of)

    assert found is not None
    assert dict(found.pairs) == {
        ("anomalous", "anomalous"): 1,
        ("anomalous", "normal"): 1,
        ("normal", "normal"): 1,
    }
    assert confused(*cracks, of=of) is None
    assert confused(anomaly("test/good/1.png", is_anomalous=None), of=of) is None
