"""How the commands of `lit-bench` read the texts of their options."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.bench.options import images, names, numbers
from lit_infer.errors import UsageError

words = st.text("abcdefg:", min_size=1, max_size=8)


@given(given_=st.lists(st.integers(1, 4096), min_size=1, max_size=8), space=st.sampled_from(["", " ", "  "]))
def test_numbers_are_sorted_and_come_once(given_: list[int], space: str) -> None:
    assert numbers("--threads", f"{space},{space}".join(map(str, given_))) == sorted(set(given_))


@pytest.mark.parametrize("text", ["", ",", "1,", "0", "4097", "-1", "1.5", "one", "1;2", "²"])
def test_what_is_no_number_in_range_is_explained_with_an_example(text: str) -> None:
    with pytest.raises(
        UsageError, match=r"--threads .*: expected whole numbers from 1 to 4096, separated by commas, as in 1,8"
    ):
        numbers("--threads", text)


@given(given_=st.lists(words, min_size=1, max_size=4))
def test_names_keep_their_order(given_: list[str]) -> None:
    assert names(", ".join(given_)) == given_


def test_an_option_that_is_not_given_is_an_empty_list() -> None:
    assert numbers("--threads", None) == names(None) == images(None) == []


def test_the_images_of_a_folder_are_listed(colours: Path) -> None:
    assert images(colours) == sorted(colours.rglob("*.png"))
