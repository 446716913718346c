"""What is sent between a server and its instance processes arrives unchanged."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from lit_infer import errors
from lit_infer.errors import EngineError, InputError, LitError
from lit_infer.server.models import instance_messages as messages
from lit_infer.server.models.batches import Answer, Answered, Execution, Work


@given(
    arrays_of.arrays(
        st.sampled_from(["u1", "i8", "f2", "f4", "f8", "?", ">f4"]),
        arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    )
)
def test_arrays_pass_as_they_are(array: Any) -> None:
    sent = [Work(None, (array, array.T), 1, 0.0)]

    (work,) = messages.decode(messages.encode(sent), list[Work])

    for found, meant in zip(work.arrays, (array, array.T), strict=True):
        assert (found.dtype, found.shape, found.tobytes()) == (meant.dtype, meant.shape, meant.tobytes())


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LitError)]


@pytest.mark.parametrize("kind", KINDS)
def test_errors_pass_as_they_are(kind: type[LitError]) -> None:
    sent = InputError("so", code="bad") if kind is InputError else kind("so")

    found = messages.error(messages.failure(sent))

    assert (type(found), str(found), vars(found)) == (kind, "so", vars(sent))


def test_an_outcome_passes_with_its_errors_and_executions() -> None:
    answer = Answer((np.arange(3.0),), 1, 0.5, 0.25)
    sent = Answered([answer, InputError("not an image", code="bad")], [Execution(1, 0.5, 0.25)])

    found = messages.answered(messages.decode(messages.encode(messages.reply(sent)), messages.Reply))

    good, bad = found.answers
    assert isinstance(good, Answer)
    assert good.outputs[0].tolist() == [0, 1, 2]
    assert (good.rows, good.compute_input, good.compute_infer) == (1, 0.5, 0.25)
    assert (type(bad), str(bad)) == (InputError, "not an image")
    assert found.executions == sent.executions


def test_an_unexpected_error_becomes_an_engine_error_with_its_type() -> None:
    found = messages.error(messages.failure(RuntimeError("CUDA error")))

    assert (type(found), str(found)) == (EngineError, "RuntimeError: CUDA error")


def test_an_engines_death_is_sent_as_text() -> None:
    assert messages.reply(Answered([], death=RuntimeError("CUDA error"))).death == "RuntimeError: CUDA error"


def test_what_is_not_an_array_cannot_be_sent() -> None:
    with pytest.raises(NotImplementedError, match="object cannot be sent"):
        messages.encode(object())
