"""lit_export.card_proof: a reader learns what the comparison did not show."""

from msgspec.structs import replace

from lit_export.card_proof import proof_section
from lit_infer.manifest import Graph, Parity, Proof, Unexercised
from tests.inference.tiny import described

PARITY = Parity(
    batches=(1, 2, 3, 8), inputs="data", max_abs=1e-7, max_rel=0, cosine=1, agreement=None, atol=1e-5, rtol=1e-3
)
GRAPH = Graph(format="onnx", status="ok", file="model.onnx", parity=PARITY)
PROOF = Proof(
    inputs="data",
    source="the validation data of pkg.mod:Data",
    rows=14,
    lines=40,
    lines_run=38,
    unexercised=(Unexercised(file="pkg/net.py", line=7, text="if a | b:", what="always true"),),
    assumed=("attention_mask is always 1 (--input)",),
)


def told(proof: Proof | None) -> str:
    return "".join(proof_section(described(graphs=(GRAPH,), proof=proof)))


def test_it_says_what_was_compared_and_what_did_not_run() -> None:
    text = told(PROOF)

    assert "- Compared on 14 rows of the validation data of pkg.mod:Data (batches 1, 2, 3, 8)." in text
    assert "- 2 of 40 lines of forward never ran, 1 conditional on one side only" in text
    assert "- Taken as given: attention_mask is always 1 (--input)." in text
    assert text.splitlines()[-1] == r"| pkg/net.py:7 | always true | if a \| b: |"
    assert "hardly" not in text
    assert "accept" not in text


def test_outputs_that_hardly_vary_prove_nothing() -> None:
    text = told(replace(PROOF, varies=False))

    assert "The outputs hardly vary" in text
    assert "proven" not in text


def test_what_a_person_took_on_is_said() -> None:
    assert "took that on (--accept-unexercised)" in told(replace(PROOF, accepted=True))


def test_there_is_no_table_where_everything_ran_and_no_section_in_an_older_bundle() -> None:
    assert "|" not in told(replace(PROOF, unexercised=()))
    assert told(None) == ""
