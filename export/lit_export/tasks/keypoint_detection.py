"""Task `keypoint-detection`: points in pixels of the model's images, or heatmaps that the runtime reads; and PCK."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export import labelled
from lit_export.labelled import Labelled, Question
from lit_export.tasks.found_points import ROLES, RawPoints, raw_points
from lit_export.tasks.images import ImageModule, image_target
from lit_export.tasks.main_output import MainOutput
from lit_export.tasks.spec import ExportTask, Scoring
from lit_infer import manifest, progress
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import Reading, correct_points
from lit_infer.tasks.keypoint_detection import TASK as RUNTIME
from lit_infer.tasks.keypoint_detection import FoundPoints, PointFacts, graph_numbers
from lit_infer.tensors import Arrays

_SHARES, _ROOM = (-0.1, 1.1), 2.0
"""Where positions that are shares of the sides lie, nearly always; and beyond what they are pixels."""


class PointModule(ImageModule):
    """Points float32 [batch, k, (x, y, score, visibility)] in pixels of the input, of which a module answers at least
    two; or heatmaps float32 [batch, k, height, width]. The runtime finds the points in those.
    """

    positions: str = "pixels"
    scores_are: str = "as_given"

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        super().__init__(module, facts)
        try:
            self.stated = msgspec.convert(dict(facts.answers), PointFacts)
        except msgspec.ValidationError as error:
            raise UsageError(f"answers: {error}") from None

    def raw(self, images: Tensor) -> RawPoints:
        """The module's points."""
        return raw_points(self.called(images), self.stated, self.chosen)

    def taken(self, *inputs: Tensor) -> dict[str, tuple[str | None, Sequence[str]]]:
        """Points and what belongs to them, or heatmaps."""
        scores = {"as_given": "probabilities"}.get(self.scores_are, self.scores_are)
        forms = {"points": self.positions, "heatmaps": self.scores_are, "scores": scores}
        return {role: (path, (forms[role],) if role in forms else ()) for role, path in self.raw(*inputs).paths.items()}

    def answer(self, images: Tensor) -> MainOutput:
        """The same, and the outputs that are left out."""
        found = self.raw(images)
        return MainOutput(found.tensor, found.taken.partition(" ")[0], found.others)

    def forward(self, images: Tensor) -> Tensor:
        """Points in pixels with their scores, or heatmaps of scores."""
        found = self.raw(images)
        values = found.tensor.to(torch.float32)
        if found.are_maps:
            if self.scores_are == "softmax":
                return torch.softmax(values.flatten(2), dim=-1).reshape(values.shape)
            return torch.sigmoid(values) if self.scores_are == "sigmoid" else values
        height, width = images.shape[1], images.shape[2]
        columns = []
        for number in graph_numbers(found.numbers):
            index = found.numbers.index(number)
            one = values[..., index : index + 1]
            if number in ("x", "y"):
                columns.append(self._in_pixels(one, width if number == "x" else height))
            else:
                columns.append(torch.sigmoid(one) if self.scores_are == "sigmoid" else one)
        return torch.cat(columns, dim=-1)

    def _in_pixels(self, one: Tensor, side: int) -> Tensor:
        if self.positions == "pixels":
            return one
        return (one + 1) * (side / 2) if self.positions == "signed" else one * side

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """What the numbers are: by what was said, and by their range."""
        with torch.no_grad():
            found = self.raw(self.blank(facts))
        if found.are_maps:
            return self._maps_found_out(found, scores)
        if self.stated.scores == "softmax":
            raise UsageError("answers: scores: softmax is over the cells of heatmaps, and the module answers points")
        places = scores[..., [found.numbers.index("x"), found.numbers.index("y")]]
        self.positions = self.stated.positions or _positions(places, facts)
        where = {
            "pixels": "pixels",
            "relative": "shares of the sides (0 to 1)",
            "signed": "from -1 to 1, 0 being the middle",
        }
        more = [index for index, number in enumerate(found.numbers) if number not in ("x", "y")]
        said = f"{found.taken}; positions are taken for {where[self.positions]}"
        if more:
            self.scores_are = self._scores_of_points(scores[..., more])
            said += f", {' and '.join(found.numbers[index] for index in more)} "
            said += "are logits" if self.scores_are == "sigmoid" else "are probabilities"
        return (f"{said}. Otherwise: answers: {{numbers, positions, scores}}",)

    def _scores_of_points(self, values: Tensor) -> str:
        within = bool(((values >= 0) & (values <= 1 + 1e-5)).all())
        if self.stated.scores == "as_given" and not within:
            raise UsageError(
                "answers: scores are declared as given, but the module answers from "
                f"{float(values.min()):.3g} to {float(values.max()):.3g}, and a score is 0 to 1"
            )
        return self.stated.scores or ("as_given" if within else "sigmoid")

    def _maps_found_out(self, found: RawPoints, values: Tensor) -> Sequence[str]:
        if self.stated.positions is not None or self.stated.numbers is not None or self.stated.flat is not None:
            raise UsageError(f"answers: numbers, flat and positions are of points, and {found.taken}: leave them out")
        self.scores_are = self.stated.scores or "as_given"
        if self.stated.peak == "soft_argmax" and self.scores_are == "as_given" and bool((values < 0).any()):
            raise UsageError(
                f"answers: peak: soft_argmax weighs positions by values of 0 and more, and the heatmaps have some of "
                f"{float(values.min()):.3g}. Say what makes them so: answers: {{scores: softmax}} or "
                "{scores: sigmoid}"
            )
        made = {"as_given": "as they are", "sigmoid": "after a sigmoid", "softmax": "after a softmax over each map"}
        return (
            f"{found.taken}; its values are taken {made[self.scores_are]}, a score is the largest. A point is the "
            f"map's {self.stated.peak}, at the {self.stated.cell} of the cell. Otherwise: answers: "
            "{scores, peak, cell}",
        )

    def facts_found(self, facts: DeploymentFacts, example: Arrays) -> DeploymentFacts:
        """With what the runtime needs to read them, and all that was chosen."""
        with torch.no_grad():
            found = self.raw(torch.from_numpy(example[0]))
        chosen: dict[str, Any] = {"scores": self.scores_are}
        if found.are_maps:
            (height, width), (rows, columns) = facts.height_width, found.tensor.shape[2:]
            chosen |= {"peak": self.stated.peak, "cell": self.stated.cell, "stride": [width / columns, height / rows]}
        else:
            chosen |= {"numbers": list(found.numbers), "positions": self.positions}
            if len(found.numbers) == 2:
                del chosen["scores"]
        return replace(facts, answers={**facts.answers, **chosen})

    def check(self, answer: NDArray[Any]) -> None:
        """Raise for heatmaps with nothing in them."""
        if 0 in answer.shape:
            raise GateError(f"the module answers {list(answer.shape)}: there are no points in that")

    def outputs(
        self, found: Arrays, batch: int | str, sides: tuple[int | str, int | str]
    ) -> tuple[manifest.Tensor, ...]:
        """Points, or heatmaps; where the images' sides vary, so do those of the maps."""
        shape: tuple[int | str, ...] = found[0].shape[1:]
        if len(shape) == 3:
            vary = (
                f"map_{side}" if isinstance(side, str) else length
                for side, length in zip(sides, shape[1:], strict=True)
            )
            shape = (shape[0], *vary)
        name = "heatmaps" if len(shape) == 3 else "points"
        return (manifest.Tensor(name=name, dtype="float32", shape=(batch, *shape)),)


def _positions(places: Tensor, facts: DeploymentFacts) -> str:
    """By their range over noise."""
    least, most = float(places.min()), float(places.max())
    if least < -_ROOM or most > _ROOM:
        return "pixels"
    if _SHARES[0] <= least and most <= _SHARES[1]:
        return "relative"
    raise UsageError(
        f"the module's positions lie from {least:.3g} to {most:.3g}: they may be shares of the sides (0 to 1), from -1 "
        f"to 1, or pixels of {facts.height_width[0]} x {facts.height_width[1]}. Say which in --spec: answers: "
        "{positions: relative}, signed or pixels"
    )


def _labelled(question: Question) -> Labelled:
    """The true points behind `--data`; it is said what PCK measures by."""
    items = labelled.points(question)
    scale = next((scale for _, (_, scale) in items), np.nan)
    of = "the image" if np.isnan(scale) else "the box of what is shown"
    progress.note(f"PCK: distances are shares of the longer side of {of}")
    return items


def _off(answer: FoundPoints, truth: tuple[NDArray[Any], float], reading: Reading) -> NDArray[np.float64]:
    """How far the points of an image are from their truth, as shares of its length: one row [1, k]."""
    places, scale = truth
    size = reading.size or len(reading.labels or ())
    if len(places) != size:
        raise UsageError(f"an image has {len(places)} true points, and the model answers {size}")
    found = np.full((size, 2), np.nan)
    for point in answer.points:
        found[point.index] = point.x, point.y
    length = correct_points.length_of(scale, answer.width or 1, answer.height or 1)
    return correct_points.distances(found, np.asarray(places, np.float64), length)[None]


TASK = ExportTask(
    name=RUNTIME.name,
    roles=ROLES,
    target=partial(image_target, wrapper=PointModule),
    score=Scoring(
        labelled=_labelled,
        condensed=lambda rows: rows,
        values=lambda rows, _, __: correct_points.scores(rows),
        counted=_off,
    ),
)
