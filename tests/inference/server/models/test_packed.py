"""lit_infer.server.models.packed: several images as one piece."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.errors import InputError
from lit_infer.server.models.packed import are_quick, packed, unpacked
from tests.support.server.requests import png


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_what_was_packed_is_unpacked(images: list[bytes]) -> None:
    names = [str(index) for index in range(len(images))]

    assert list(unpacked(packed(images), names).values()) == images


@given(st.binary(max_size=60), st.integers(2, 4))
def test_other_bytes_are_refused_or_hold_as_many(data: bytes, count: int) -> None:
    names = [str(index) for index in range(count)]
    try:
        found = unpacked(data, names)
    except InputError as error:
        assert str(error) == f"the model takes {count} images for each answer"  # noqa: PT017 - or there is none
        return
    assert packed(list(found.values())) == data


def test_all_of_several_must_be_quick_to_decode() -> None:
    slow = b"\x89PNG\r\n\x1a\n" + bytes(8) + (60_000).to_bytes(4, "big") * 2

    assert are_quick(png(), 0)
    assert are_quick(packed([png(), png()]), 2)
    assert not are_quick(packed([png(), slow]), 2)
    with pytest.raises(InputError, match="takes 3 images"):
        unpacked(packed([png(), png()]), ["a", "b", "c"])
