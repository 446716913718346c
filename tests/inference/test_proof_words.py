"""lit_infer.proof_words: what is said of a proof, and when the word itself is not."""

from typing import get_args

import pytest
from msgspec.structs import replace

from lit_infer.manifest import Parity, Proof, ProofInputs, Unexercised
from lit_infer.proof_words import MADE_OF, compared_on, lines_run, one_sided, place, verdict

PARITY = Parity(
    batches=(1, 2, 3, 8), inputs="data", max_abs=3e-7, max_rel=0, cosine=1, agreement=None, atol=1e-5, rtol=1e-3
)
PROOF = Proof(inputs="data", source="the validation data of pkg.mod:Data", rows=64, lines=212, lines_run=212)
BRANCH = Unexercised(file="pkg/net.py", line=12, text="if x.any():", what="always true")


def test_every_kind_of_input_has_words() -> None:
    assert set(MADE_OF) == set(get_args(ProofInputs))


def test_proven_says_of_what() -> None:
    assert verdict(PROOF, PARITY) == (
        "proven on 64 rows of the validation data of pkg.mod:Data (batches 1, 2, 3, 8), all 212 lines of forward run, "
        "max difference 3.0e-07"
    )


def test_where_the_outputs_hardly_vary_the_word_is_not_said() -> None:
    text = verdict(replace(PROOF, varies=False), PARITY)
    assert text.startswith("compared on 64 rows")
    assert "its outputs hardly vary" in text
    assert "prove" not in text


def test_a_bundle_of_an_older_schema_says_what_it_knows() -> None:
    assert verdict(None, replace(PARITY, inputs="noise")) == (
        "compared on seeded noise (batches 1, 2, 3, 8), max difference 3.0e-07"
    )


@pytest.mark.parametrize(
    ("lines", "run", "places", "text"),
    [
        (None, None, (), ""),
        (40, 40, (), "all 40 lines of forward run"),
        (1, 1, (), "the one line of forward run"),
        (40, 37, (BRANCH,), "3 of 40 lines of forward never ran, 1 conditional on one side only"),
        (40, 40, (BRANCH, BRANCH), "all 40 lines of forward run, 2 conditionals on one side only"),
    ],
)
def test_how_much_of_forward_ran(
    lines: int | None, run: int | None, places: tuple[Unexercised, ...], text: str
) -> None:
    assert lines_run(replace(PROOF, lines=lines, lines_run=run, unexercised=places)) == text


def test_what_a_person_took_on_is_said() -> None:
    assert "what it may have frozen is taken on" in verdict(replace(PROOF, accepted=True), PARITY)


def test_a_place_is_told_with_its_line_and_text() -> None:
    assert place(BRANCH) == "pkg/net.py:12, always true: if x.any():"
    assert one_sided((BRANCH, replace(BRANCH, what="never ran"))) == 1


def test_noise_has_no_source() -> None:
    assert compared_on(Proof(inputs="noise", rows=1), (1,)) == "1 row of seeded noise (batch 1)"
