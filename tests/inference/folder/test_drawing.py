"""lit_infer.folder.drawing: what was found, over the image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer.folder import drawing, html_boxes
from lit_infer.folder.table import Table
from lit_infer.images import masks
from lit_infer.tasks import TASKS


def table(kind: str, labels: tuple[str, ...], **answers: Any) -> Table:
    task = next(task for task in TASKS.values() if task.kind == kind)
    return Table(task, task.reading(labels=labels, answers=answers, size=len(labels)), "model")


def drawn(of: Table, row: dict[str, Any], layer: drawing.Layer = None, size: int = 600) -> NDArray[Any]:
    image = Image.new("RGB", (size, size), (90, 90, 90))
    return np.asarray(drawing.annotate(image, row, layer, of))


def box(index: int, *corners: float, score: float = 0.5) -> dict[str, Any]:
    return {"label": "cat", "index": index, "score": score, "box": list(corners)}


def test_boxes_have_the_colours_of_their_classes_and_lie_within_their_edges() -> None:
    found = drawn(table("boxes", ("cat", "dog")), {"boxes": [box(1, 100, 200, 300, 400, score=0.9)]})

    colour = html_boxes.colour(1)
    assert found[300, 100].tolist() == found[300, 299].tolist() == found[399, 200].tolist() == colour
    assert found[300, 300].tolist() == found[300, 200].tolist() == [90, 90, 90]
    assert (found[180:200, 100:130] == colour).all(-1).any()  # its name, above it


def test_the_best_box_is_over_the_others() -> None:
    best, worse = box(0, 100, 200, 300, 400, score=0.9), box(1, 100, 200, 300, 400, score=0.4)

    found = drawn(table("boxes", ("cat", "dog")), {"boxes": [best, worse]})

    assert found[300, 100].tolist() == html_boxes.colour(0)


def point(index: int, x: float, y: float, *, outside: bool = False) -> dict[str, Any]:
    return {"label": f"p{index}", "index": index, "x": x, "y": y, "score": None, "outside": outside}


def test_points_are_joined_and_rings_where_the_model_saw_nothing() -> None:
    of = table("points", ("a", "b", "c"), skeleton=[[0, 1], [1, 2]])

    found = drawn(of, {"points": [point(0, 100, 100), point(1, 300, 100, outside=True)]})

    assert found[100, 100].tolist() == html_boxes.colour(0)
    assert found[100, 200].tolist() == [255, 255, 255]
    assert found[98, 200].tolist() == [0, 0, 0]
    ring = found[96, 296:305]
    assert (ring == html_boxes.colour(1)).all(-1).any()
    assert found[100, 302].tolist() != html_boxes.colour(1)


def test_the_name_of_a_point_is_where_it_covers_nothing_or_nowhere() -> None:
    of = table("points", tuple(f"p{index}" for index in range(30)))

    found = drawn(of, {"points": [point(0, 590, 300)]})
    assert found[300, 590].tolist() == html_boxes.colour(0)
    assert (found[290:310, 540:580] == html_boxes.colour(0)).all(-1).sum() > 100

    others = [point(index, 590 - 14 * index, 300 + side) for side in (-14, 0, 14) for index in range(1, 30)]
    crowded = drawn(of, {"points": [point(0, 590, 300), *others]})
    assert (crowded == html_boxes.colour(0)).all(-1).sum() < 60  # the point alone
    for one in others:
        assert crowded[one["y"], one["x"]].tolist() == html_boxes.colour(one["index"])


def area(index: int, label: str) -> dict[str, Any]:
    return {"label": label, "index": index, "share": 0.5, "pixels": 1}


def test_classes_of_pixels_are_blended_over_the_image_and_the_background_is_not() -> None:
    mask = np.zeros((600, 600), np.uint8)
    mask[:, 300:] = 1
    mask[500:] = masks.OUTSIDE["uint8"]

    found = drawn(table("mask", ("background", "cat")), {"areas": [area(0, "background"), area(1, "cat")]}, mask)

    assert found[300, 100].tolist() == found[550, 400].tolist() == [90, 90, 90]
    assert found[300, 400].tolist() == [(90 + value) // 2 for value in masks.colours()[1].tolist()]
    assert (found[:20, :40] == masks.colours()[1]).all(-1).any()  # the legend


def test_instances_have_the_colours_of_their_classes_and_their_boxes() -> None:
    mask = np.zeros((600, 600), np.uint8)
    mask[100:300, 100:300], mask[400:500, 400:500] = 1, 2
    boxes = [box(1, 100, 100, 300, 300), box(1, 400, 400, 500, 500)]

    found = drawn(table("instances", ("cat", "dog")), {"boxes": boxes}, mask)

    colour = html_boxes.colour(1)
    assert found[200, 200].tolist() == found[450, 450].tolist() == [(90 + value) // 2 for value in colour]
    assert found[200, 100].tolist() == colour
    assert found[350, 350].tolist() == [90, 90, 90]


def test_strips_of_a_tall_image_fit_together(monkeypatch: Any) -> None:
    mask = (np.indices((600, 600)).sum(0) % 3).astype(np.uint8)
    row = {"areas": [area(index, f"c{index}") for index in range(3)]}
    whole = drawn(table("mask", ("c0", "c1", "c2")), row, mask)

    monkeypatch.setattr(drawing, "_STRIP", 7 * 600)

    assert np.array_equal(drawn(table("mask", ("c0", "c1", "c2")), row, mask), whole)


def test_what_an_image_is_stands_in_its_corner_whatever_its_size() -> None:
    row = {"label": "cat", "index": 0, "score": 0.75, "top": []}

    for size in (5, 600):
        found = drawn(table("classes", ("cat", "dog")), row, size=size)
        assert found[0, 0].tolist() == [0, 0, 0]
    assert found[-1, -1].tolist() == [90, 90, 90]


ANOMALOUS = {"score": 3.5, "is_anomalous": True}


def test_heat_lies_over_the_image_as_far_as_it_is_hot(monkeypatch: Any) -> None:
    heat = Image.new("RGBA", (600, 600), (255, 0, 0, 0))
    heat.paste((255, 0, 0, 255), (300, 0, 600, 600))
    of = table("anomaly", ())

    found = drawn(of, ANOMALOUS, heat)

    assert found[0, 0].tolist() == [0, 0, 0]  # what it comes to
    assert found[300, 100].tolist() == [90, 90, 90]
    assert found[300, 400].tolist() == [189, 36, 36]
    monkeypatch.setattr(drawing, "_STRIP", 7 * 600)
    assert np.array_equal(drawn(of, ANOMALOUS, heat), found)


def test_without_a_map_the_score_is_there_all_the_same() -> None:
    found = drawn(table("anomaly", ()), ANOMALOUS)

    assert found[0, 0].tolist() == [0, 0, 0]
    assert found[300, 400].tolist() == [90, 90, 90]


def test_a_picture_stands_beside_the_image_both_as_large_as_the_larger_one() -> None:
    of = table("image", ())

    for size, expected in ((40, (40, 80)), (80, (80, 160)), (10, (40, 80))):
        found = drawn(of, {}, Image.new("RGB", (size, size), (200, 10, 10)), size=40)
        assert found.shape[:2] == expected
        assert (found[:, : expected[0]] == (90, 90, 90)).all()
        assert (found[:, expected[0] :] == (200, 10, 10)).all()


def test_a_grey_picture_and_one_that_is_seen_through_are_shown() -> None:
    of = table("image", ())

    assert (drawn(of, {}, Image.new("L", (40, 40), 70), size=40)[:, 40:] == 70).all()
    assert (drawn(of, {}, Image.new("RGBA", (40, 40), (255, 255, 255, 0)), size=40)[:, 40:] == 128).all()
