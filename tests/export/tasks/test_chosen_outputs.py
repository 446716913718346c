"""Every task's outputs, chosen by a person: `--outputs`, from the name to the answer and the record."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.chosen import line
from lit_export.tasks import TASKS, answers
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts, Resize, Step
from tests.support.targets import target_for

SIZE = (8, 12)
Ending = Callable[[Tensor], Any]


class Net(nn.Module):
    """What is made of the images."""

    def __init__(self, ending: Ending) -> None:
        super().__init__()
        self.ending = ending
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, images: Tensor) -> Any:
        return self.ending(images * self.scale)


def facts(task: str, **changes: Any) -> DeploymentFacts:
    return DeploymentFacts(task=task, preprocess=(Step(resize=Resize(size=SIZE)),), **changes)


def made(ending: Ending, task: str, outputs: str, **changes: Any) -> Any:
    return target_for(Net(ending).eval(), facts(task, **changes), outputs=outputs)


def answered(found: Any) -> tuple[Any, ...]:
    return answers(found.module, found.example)


def pixels(found: Any) -> Tensor:
    return torch.from_numpy(found.example[0].astype(np.float32) / 255).permute(0, 3, 1, 2)


def means(images: Tensor) -> Tensor:
    return images.mean((2, 3)) - 0.5


def heads(images: Tensor) -> dict[str, Any]:
    """Of several heads, the one that is wanted never first."""
    return {"first": means(images)[:, :1].repeat(1, 2), "wanted": means(images), "deep": ({"logits": means(images)},)}


def boxes(images: Tensor) -> Tensor:
    """[batch, 4, 4]: centre and size of four boxes, as shares of the sides, by the mean of the image."""
    places = torch.tensor(
        [[0.25, 0.25, 0.2, 0.2], [0.75, 0.25, 0.2, 0.1], [0.25, 0.75, 0.1, 0.2], [0.5, 0.5, 0.4, 0.4]]
    )
    return places + images.mean((1, 2, 3))[:, None, None] * 0.1


def scores(images: Tensor) -> Tensor:
    return torch.stack([means(images)[:, :2] * (n + 1) * 4 for n in range(4)], dim=1)


def corners(found: Any) -> Any:
    centres = boxes(pixels(found)).numpy()
    whole = np.concatenate([centres[..., :2] - centres[..., 2:] / 2, centres[..., :2] + centres[..., 2:] / 2], -1)
    return whole * [SIZE[1], SIZE[0], SIZE[1], SIZE[0]]


@pytest.mark.parametrize(
    ("task", "outputs", "recorded", "expected"),
    [
        ("image-classification", "logits=wanted", "scores=wanted:softmax", lambda x: means(x).softmax(-1)),
        ("image-classification", "scores=deep.0", "scores=deep.0.logits:softmax", lambda x: means(x).softmax(-1)),
        ("image-multilabel", "scores=wanted:sigmoid", "scores=wanted:sigmoid", lambda x: means(x).sigmoid()),
        ("image-regression", "values=wanted", "values=wanted", means),
        ("image-embedding", "embedding=deep.0.logits", "embedding=deep.0.logits", means),
    ],
)
def test_the_head_that_was_chosen_answers_and_can_be_said_again(
    task: str, outputs: str, recorded: str, expected: Ending
) -> None:
    found = made(heads, task, outputs)

    np.testing.assert_allclose(answered(found)[0], expected(pixels(found)), rtol=1e-4, atol=1e-5)
    assert line(found.facts.outputs) == recorded
    assert not [one for one in found.warnings if "left out" in one]
    again = made(heads, task, recorded)
    assert again.facts.outputs == found.facts.outputs
    np.testing.assert_array_equal(answered(again)[0], answered(found)[0])


@pytest.mark.parametrize("task", ["image-classification", "image-regression", "image-embedding", "image-multilabel"])
def test_where_nobody_chose_the_others_are_named_with_the_line_that_takes_another(task: str) -> None:
    role = TASKS[task].roles[0].name  # type: ignore[index]
    found = target_for(Net(heads).eval(), facts(task))

    assert f"first is taken, and wanted left out. To take another: --outputs {role}=wanted" in found.warnings[0]
    assert found.facts.outputs[role].partition(":")[0] == "first"
    other = made(heads, task, found.warnings[0].rpartition("--outputs ")[2])
    assert other.facts.outputs[role].partition(":")[0] == "wanted"


@pytest.mark.parametrize(
    "task",
    ["image-classification", "image-segmentation", "object-detection", "keypoint-detection", "anomaly-detection"],
)
def test_a_name_that_is_not_there_is_told_with_all_that_are(task: str) -> None:
    role = TASKS[task].roles[0].name  # type: ignore[index]
    with pytest.raises(UsageError, match=r"nothing called wantd \(is wanted meant\?\); it answers first \[2, 2\], wan"):
        made(heads, task, f"{role}=wantd")


def test_a_lone_tensor_has_no_name_and_its_form_can_be_said() -> None:
    found = made(lambda x: x.mean((2, 3)).clamp(0.1, 0.9), "image-multilabel", "scores=:probabilities")

    assert found.facts.outputs == {"scores": ":probabilities"}
    np.testing.assert_allclose(answered(found)[0], pixels(found).mean((2, 3)).clamp(0.1, 0.9), rtol=1e-4)
    with pytest.raises(UsageError, match=r"nothing called logits; it answers one tensor \[2, 3\]"):
        made(means, "image-multilabel", "scores=logits")


def test_boxes_have_the_form_that_was_said() -> None:
    def ending(images: Tensor) -> dict[str, Any]:
        return {"aux": scores(images), "out": {"reg": boxes(images), "cls": scores(images)}}

    found = made(ending, "object-detection", "boxes=out.reg:cxcywh:relative,scores=out.cls:sigmoid")

    assert line(found.facts.outputs) == "boxes=out.reg:cxcywh:relative,scores=out.cls:sigmoid"
    assert found.facts.answers == {"boxes": "cxcywh", "relative": True, "scores": "sigmoid", "overlap": None}
    shares, places = answered(found)
    np.testing.assert_allclose(places, corners(found), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(shares, scores(pixels(found)).sigmoid(), rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match=r"which output has the scores is not said\. The module answers aux"):
        made(ending, "object-detection", "boxes=out.reg")


def test_candidates_are_boxes_and_scores_in_one_tensor() -> None:
    def ending(images: Tensor) -> tuple[Tensor, Tensor]:
        return scores(images), torch.cat((boxes(images), scores(images)), -1)

    found = made(ending, "object-detection", "candidates=1:cxcywh:relative:sigmoid", labels=("a", "b"))

    assert line(found.facts.outputs) == "candidates=1:cxcywh:relative:sigmoid"
    np.testing.assert_allclose(answered(found)[1], corners(found), rtol=1e-4, atol=1e-4)
    with pytest.raises(UsageError, match="candidates are boxes and scores in one tensor"):
        made(ending, "object-detection", "candidates=1,scores=0")


def test_of_several_tensors_that_may_be_either_it_is_asked() -> None:
    def ending(images: Tensor) -> dict[str, Any]:
        return {"reg": boxes(images), "cls": scores(images), "more": scores(images)}

    with pytest.raises(UsageError, match=r"which are boxes .* is not certain. Say it: --outputs boxes=…,scores=…"):
        target_for(Net(ending).eval(), facts("object-detection"))
    assert made(ending, "object-detection", "boxes=reg,scores=cls:sigmoid").facts.outputs["boxes"] == "reg:xyxy:pixels"


def found_itself(images: Tensor) -> dict[str, Tensor]:
    kind = torch.ones(len(images), 4, dtype=torch.int64)
    planes = images[:, :1].repeat(1, 4, 1, 1)
    return {"b": boxes(images), "s": scores(images)[..., 0], "kind": kind, "planes": planes.sigmoid()}


@pytest.mark.parametrize("masks", [False, True])
def test_what_a_module_has_found_itself_is_named_and_its_boxes_have_another_form(masks: bool) -> None:
    task = "instance-segmentation" if masks else "object-detection"
    outputs = f"boxes=b:cxcywh:relative,scores=s:sigmoid,labels=kind{',masks=planes' if masks else ''}"

    found = made(found_itself, task, outputs)

    assert line(found.facts.outputs) == outputs
    shares, places, kinds, counts, *more = answered(found)
    np.testing.assert_allclose(places, corners(found), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(shares, scores(pixels(found))[..., 0].sigmoid(), rtol=1e-4, atol=1e-5)
    assert (kinds == 1).all()
    assert counts.tolist() == [4, 4]
    assert [one.shape for one in more] == ([(2, 4, *SIZE)] if masks else [])


def test_labels_are_for_what_was_found_and_not_for_candidates() -> None:
    with pytest.raises(UsageError, match=r"labels=kind is for what a module has found itself: boxes \[batch, n, 4\]"):
        made(lambda x: {**found_itself(x), "s": scores(x)}, "object-detection", "boxes=b,scores=s,labels=kind")


def test_pixels_are_scores_or_classes_as_was_said() -> None:
    def ending(images: Tensor) -> dict[str, Tensor]:
        return {"out": images, "other": 3 * images - 1, "best": images.argmax(1)}

    for form, expected in (("softmax", lambda x: x.softmax(1)), ("sigmoid", torch.sigmoid)):
        found = made(ending, "image-segmentation", f"scores=other:{form}")
        assert line(found.facts.outputs) == f"scores=other:{form}"
        np.testing.assert_allclose(answered(found)[0], expected(3 * pixels(found) - 1), rtol=1e-4, atol=1e-5)
    found = made(ending, "image-segmentation", "classes=best")
    assert line(found.facts.outputs) == "classes=best"
    assert (answered(found)[0] == pixels(found).argmax(1).numpy()).all()
    with pytest.raises(UsageError, match="best has whole numbers, which are classes: classes=best"):
        made(ending, "image-segmentation", "scores=best")
    with pytest.raises(UsageError, match="out has no whole numbers, but scores: scores=out"):
        made(ending, "image-segmentation", "classes=out")


def test_the_queries_of_a_mask_former_are_named_together() -> None:
    def ending(images: Tensor) -> dict[str, Tensor]:
        queries = scores(images)
        return {"first": images, "kinds": torch.cat((queries, -queries[..., :1]), -1), "planes": boxes_of(images)}

    def boxes_of(images: Tensor) -> Tensor:
        return torch.cat((images, images[:, :1]), 1) - 0.5

    found = made(ending, "image-segmentation", "query_classes=kinds,query_masks=planes")
    assert line(found.facts.outputs) == "query_classes=kinds,query_masks=planes"
    assert answered(found)[0].shape == (2, 2, *SIZE)
    np.testing.assert_allclose(answered(found)[0].sum(1), 1, rtol=1e-4)
    with pytest.raises(UsageError, match="query_classes and query_masks are said together"):
        made(ending, "image-segmentation", "query_masks=planes")


def test_points_their_scores_and_heatmaps_are_named() -> None:
    def ending(images: Tensor) -> tuple[Any, ...]:
        return images, boxes(images)[..., :2], means(images)[:, [0, 1, 2, 0]] * 4

    found = made(ending, "keypoint-detection", "points=1:relative,scores=2:sigmoid")
    assert line(found.facts.outputs) == "points=output_1:relative,scores=output_2:sigmoid"
    points = answered(found)[0]
    np.testing.assert_allclose(points[..., :2], boxes(pixels(found))[..., :2] * torch.tensor([12, 8]), rtol=1e-4)
    np.testing.assert_allclose(points[..., 2], (means(pixels(found))[:, [0, 1, 2, 0]] * 4).sigmoid(), rtol=1e-4)
    maps = made(ending, "keypoint-detection", "heatmaps=0:sigmoid")
    assert line(maps.facts.outputs) == "heatmaps=output_0:sigmoid"
    np.testing.assert_allclose(answered(maps)[0], pixels(maps).sigmoid(), rtol=1e-4)
    for outputs, message in (
        ("points=0", "heatmaps and no points: heatmaps=output_0"),
        ("heatmaps=1", r"heatmaps are \[batch, points, height, width\]"),
        ("heatmaps=0,scores=2", "scores: only points"),
        ("points=1,heatmaps=0", "one of them is what positions are read off"),
    ):
        with pytest.raises(UsageError, match=message):
            made(ending, "keypoint-detection", outputs)


def test_an_image_is_named_and_its_range() -> None:
    found = made(lambda x: {"clean": x, "noise": x * 2 - 1}, "image-to-image", "image=noise:-1..1")

    assert line(found.facts.outputs) == "image=noise:-1..1"
    np.testing.assert_allclose(answered(found)[0], pixels(found), rtol=1e-4, atol=1e-5)


def test_score_and_map_of_an_anomaly_are_named() -> None:
    def ending(images: Tensor) -> dict[str, Tensor]:
        blue = images[:, 2:]
        return {"score": means(images)[:, 0], "map": images[:, :1], "s": means(images)[:, 2], "m": blue, "all": images}

    found = made(ending, "anomaly-detection", "score=s,map=m", answers={"threshold": 0.5})
    assert line(found.facts.outputs) == "score=s,map=m"
    np.testing.assert_allclose(answered(found)[0], means(pixels(found))[:, 2], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(answered(found)[1], pixels(found)[:, 2:], rtol=1e-4, atol=1e-6)
    alone = made(ending, "anomaly-detection", "map=m", answers={"threshold": 0.5})
    np.testing.assert_allclose(answered(alone)[0], pixels(alone)[:, 2].amax((1, 2)), rtol=1e-4)
    rebuilt = made(ending, "anomaly-detection", "reconstruction=all", answers={"threshold": 0.5})
    assert line(rebuilt.facts.outputs) == "reconstruction=all"
    np.testing.assert_allclose(answered(rebuilt)[1], 0, atol=1e-6)
    with pytest.raises(UsageError, match=r"score=m is \[2, 1, 8, 12\], and a score is \[batch\]"):
        made(ending, "anomaly-detection", "score=m")


def test_the_parts_of_a_detector_of_torchvision_are_known() -> None:
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    module = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3).eval()
    with pytest.raises(UsageError, match=r"SSD of torchvision is taken apart, .* leave boxes=boxes out"):
        target_for(module, facts("object-detection"), outputs="boxes=boxes")
