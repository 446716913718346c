"""lit_export.relay: what a child tells, its parent tells again."""

import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_export import relay
from lit_infer import progress
from lit_infer.progress import Listener


def heard(tell: Callable[[Listener], None], *, cut: bytes = b"") -> list[tuple[Any, ...]]:
    """What a listener of the parent hears of what is told to the child's."""
    told: list[tuple[Any, ...]] = []
    reading, writing = os.pipe()
    kept = os.dup(writing)
    listener = relay.listener(writing)
    tell(listener)
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # a child's end closes it
        del listener
    os.write(kept, cut)
    os.close(kept)

    @contextmanager
    def begun(kind: str, *what: Any) -> Iterator[Callable[..., None]]:
        told.append((kind, *what))
        yield lambda *now: told.append(("now", *now))
        told.append(("end", kind))

    ear = Listener(
        note=lambda text: told.append(("note", text)),
        note_once=lambda text: told.append(("once", text)),
        warn=lambda text: told.append(("warn", text)),
        transfer=lambda task: begun("transfer", task),
        steps=lambda task, total: begun("steps", task, total),
    )
    with progress.listening(ear):
        relay.retell(reading, "onnx")
    return told


@given(text=st.text(max_size=20))
def test_any_line_arrives_as_it_was_under_the_child_s_name(text: str) -> None:
    found = heard(lambda child: child.note(text))

    assert found == [("note", text if text.startswith("onnx") else f"onnx: {text}")]


def test_a_line_that_begins_with_the_name_or_holds_for_all_has_no_other() -> None:
    def tell(child: Listener) -> None:
        child.note("onnx int8: write")
        child.warn("slow")
        assert child.note_once is not None
        child.note_once("registry: here")

    assert heard(tell) == [("note", "onnx int8: write"), ("warn", "onnx: slow"), ("once", "registry: here")]


def test_transfers_and_steps_begin_advance_and_end() -> None:
    def tell(child: Listener) -> None:
        with child.transfer("download") as transferred:
            transferred(1, 2)
        with child.steps("measure", 2) as advance:
            advance()

    assert heard(tell) == [
        ("transfer", "download"),
        ("now", 1, 2),
        ("end", "transfer"),
        ("steps", "measure", 2),
        ("now",),
        ("end", "steps"),
    ]


@pytest.mark.parametrize("cut", [b'["no', json.dumps(["note", "whole but for its end"]).encode()])
def test_what_a_child_was_writing_when_it_was_ended_is_left_out(cut: bytes) -> None:
    assert heard(lambda child: child.note("a line"), cut=cut) == [("note", "onnx: a line")]


def test_a_transfer_that_the_child_s_end_cut_short_ends_in_the_parent() -> None:
    begin = (json.dumps(["transfer", "download"]) + "\n").encode()

    assert heard(lambda _: None, cut=begin) == [("transfer", "download"), ("end", "transfer")]
