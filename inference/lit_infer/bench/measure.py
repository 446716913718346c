"""Measure latency fairly: warm up first, then take turns, so that a noisy machine affects all alike.

    rows = measure([Subject("onnx", predictor)], [1, 8], callers=[32], seconds=1)

A row is one subject at one batch size, either called by one caller (`run` on all threads for a graph in this process,
or `predict` if there are images to decode) or shared by many callers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lit_infer.bench.cells import ROUNDS, Cell, Measurable, calls, shared_by
from lit_infer.bench.rows import BenchRow
from lit_infer.bench.subjects import Subject, open_subjects

__all__ = ["ROUNDS", "BenchRow", "Interrupted", "Subject", "best", "cells", "measure", "open_subjects", "take_turns"]


@dataclass
class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with what had been measured by then."""

    rows: list[BenchRow]


def measure(
    subjects: Sequence[Measurable],
    batch_sizes: Sequence[int],
    *,
    callers: Sequence[int] = (),
    seconds: float,
    rounds: int = ROUNDS,
    advance: Callable[[], None] = lambda: None,
) -> list[BenchRow]:
    """Time each subject at each batch size, and at each number of callers, for about `seconds` each, in turns.

    `advance` is called once for each row in each round. Raises Interrupted with the rows so far on Ctrl-C.
    """
    return take_turns(cells(subjects, batch_sizes, callers), seconds=seconds, rounds=rounds, advance=advance)


def cells(subjects: Sequence[Measurable], batch_sizes: Sequence[int], callers: Sequence[int] = ()) -> list[Cell]:
    """Everything that takes turns."""
    found = [calls(subject, size) for size in batch_sizes for subject in subjects]
    return found + [shared_by(subject, number) for number in callers for subject in subjects]


def take_turns(
    cells: Sequence[Cell], *, seconds: float, rounds: int = ROUNDS, advance: Callable[[], None] = lambda: None
) -> list[BenchRow]:
    """Warm all cells up, time each for about `seconds` in interleaved rounds, and close them."""
    try:
        for cell in cells:
            cell.warm_up()
        for _ in range(rounds):
            for cell in cells:
                cell.work_for(seconds / rounds)
                advance()
    except KeyboardInterrupt:
        raise Interrupted([cell.row() for cell in cells if cell.times]) from None
    finally:
        for cell in cells:
            cell.close()
    return [cell.row() for cell in cells]


def best(rows: Sequence[BenchRow]) -> dict[str, BenchRow]:
    """For each graph, the single-caller row with the most images, or rows, per second."""
    found: dict[str, BenchRow] = {}
    for row in rows:
        if row.via == "call" and (row.format not in found or row.images_per_s > found[row.format].images_per_s):
            found[row.format] = row
    return found
