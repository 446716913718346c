"""What a graph may have frozen: conditionals that depend on data, and of which the proof saw one side only."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lit_export.proof.data_flow import depends_on_data, is_configuration, written_attributes
from lit_export.proof.exercised import Decision, Exercised, exercised
from lit_export.proof.observed import Observed, observed
from lit_export.proof.read_out import kept
from lit_export.proof.samples import Sample
from lit_export.proof.sizes import Doubt
from lit_export.tasks import Target
from lit_export.user_code import shown_path
from lit_infer import progress
from lit_infer.errors import LitError
from lit_infer.manifest import Unexercised

_NAMED, _RECORDED = 3, 50
_TRIED, _LARGEST = 6, 4096


@dataclass(frozen=True)
class Branches:
    """The decisions of a module's source. Which of them depend on data is found out when first asked."""

    target: Target
    expected: Sequence[Sample]
    exercised: Exercised

    @cached_property
    def frozen(self) -> list[Decision]:
        """Decisions on data of which a side was not seen. Where a module cannot be observed, any of them may be one."""
        suspected = self._suspected
        if not suspected:
            return []
        try:
            return [one for one in suspected if self._depends(one)]
        except LitError as error:
            progress.warn(f"warning: what forward decides on could not be observed ({error}); it may be data")
            return suspected

    @cached_property
    def _suspected(self) -> list[Decision]:
        """The one-sided decisions that are not plainly on configuration."""
        written = written_attributes(self.exercised.decisions)
        found = [*self.exercised.one_sided, *self.exercised.one_sided_in_turn]
        return [one for one in found if not is_configuration(one, written)]

    def unexercised(self) -> tuple[Unexercised, ...]:
        """For the manifest: what depends on data first, and not more than a reader reads."""
        return self.exercised.unexercised(self.frozen)[:_RECORDED]

    def refusal(self) -> str | None:
        """Why a graph that followed one run is not the module; None if both sides of all that matters were seen."""
        given = "--images FOLDER" if self.target.takes_images else "--data-module or --inputs FILE.npz"
        taken_on = "or take it on: --accept-unexercised"
        if told := self.unreached():
            return (
                f"it would freeze what depends on data, as the inputs of the proof took it{told}. Give inputs that "
                f"take the other side ({given}), {taken_on}"
            )
        if told := self._kept():
            return (
                f"it would keep for ever what forward reads out of its inputs: {told}. Compute with tensors all "
                f"through (torch.where, indexing), give inputs for which a number varies ({given}), {taken_on}"
            )
        return None

    def _kept(self) -> str:
        """The values that forward reads out of its inputs and that nothing proves to be free."""
        try:
            found = kept([self._run(sample) for sample in self.expected])
        except LitError as error:
            progress.warn(f"warning: what forward reads out of its inputs could not be observed ({error})")
            return ""
        return "; ".join(found[:_NAMED])

    def unreached(self) -> str:
        """The decisions on data of which a side was not seen, and the lines that never ran; nothing if there are none.

        To follow a reason: `: net.py:7 was always true; lines that never ran: net.py:8`.
        """
        shown = "; ".join(f"`{one.text}` ({one.place}) {_was(one)}" for one in self.frozen[:_NAMED])
        more = f"; and {len(self.frozen) - _NAMED} more" if len(self.frozen) > _NAMED else ""
        return f": {shown}{more}{self._never_ran()}" if shown else ""

    def _never_ran(self) -> str:
        """The lines that no input reached, of the files that the refusal is about."""
        about = {one.source for one in self.frozen}
        lines = [f"{shown_path(file.filename)}:{line}" for file, line in self.exercised.never_ran if file in about]
        more = ", …" if len(lines) > _NAMED else ""
        return f"; lines that never ran: {', '.join(lines[:_NAMED])}{more}" if lines else ""

    def doubts(self) -> tuple[Doubt, ...]:
        """Sizes near the numbers in tests that stayed on one side, and are on neither configuration nor data."""
        written = written_attributes(self.exercised.decisions)
        sides = dict.fromkeys(side for axes in self.target.dynamic for side in axes.values())
        found = [
            Doubt(side, size, one.place.rpartition("/")[2])
            for one in self.exercised.one_sided
            if not is_configuration(one, written)
            for size in _sizes_near(one)
            for side in sides
        ]
        return tuple(found[:_TRIED])

    def suspects(self) -> str:
        """Where forward decides in Python on data, for a graph that answers otherwise; nothing if it nowhere does."""
        try:
            found = [one for one in self.exercised.decisions if self._depends(one)]
        except LitError:
            return ""
        what = "data" if found else "sizes in Python"
        shown = ", ".join(f"`{one.text}` ({one.place})" for one in (found or self._on_sizes())[:_NAMED])
        return f"; forward decides on {what}, and an exporter keeps one side: {shown}" if shown else ""

    def _on_sizes(self) -> list[Decision]:
        """Where there are dynamic sides: the decisions of which both sides ran, and which are not on data."""
        written = written_attributes(self.exercised.decisions)
        found = [one for one in self.exercised.decisions if one.took_both and not is_configuration(one, written)]
        return found if any(self.target.dynamic) else []

    def _depends(self, decision: Decision) -> bool:
        found = self._observed
        return any(depends_on_data(decision, one.spans(decision.source.filename)) for one in found)

    @cached_property
    def _observed(self) -> list[Observed]:
        """Runs that reach every one-sided decision; the small batches come first."""
        left = {one.test for one in self._suspected}
        found = list[Observed]()
        for sample in sorted(self.expected, key=lambda sample: sample.rows):
            if found and not left:
                break
            found.append(self._run(sample))
            left -= {one.test for one in exercised(found[-1].reached).decisions}
        return found

    def _run(self, sample: Sample) -> Observed:
        names = [tensor.name for tensor in self.target.inputs]
        return observed(self.target.module, sample.inputs, names, constant=self.target.constant)


def _sizes_near(decision: Decision) -> list[int]:
    """The numbers that a test names, and their neighbours: one of these takes its other side."""
    parts = (part for one in decision.asks for part in ast.walk(one))
    numbers = {part.value for part in parts if isinstance(part, ast.Constant) and type(part.value) is int}
    return [size for number in sorted(numbers) for size in (number + 1, number, number - 1) if 1 < size <= _LARGEST]


def _was(decision: Decision) -> str:
    if decision.missing == "never ran":
        return "had nothing to go over"
    return f"was {decision.missing}" + ("" if decision.turn is None else f" at turn {decision.turn + 1} of its loop")
