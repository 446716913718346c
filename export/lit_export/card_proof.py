"""The part of `report.md` that says what the comparison with the PyTorch module showed, and what it did not."""

from collections.abc import Iterator

from lit_export.markdown import literal, table
from lit_infer.manifest import Manifest, Proof
from lit_infer.proof_words import compared_on, lines_run


def proof_section(manifest: Manifest) -> list[str]:
    """The section; nothing in a bundle of an older schema, which does not record it."""
    if manifest.proof is None:
        return []
    batches = dict.fromkeys(batch for one in manifest.ok_graphs() if one.parity for batch in one.parity.batches)
    notes = "\n".join(f"- {literal(note)}" for note in _notes(manifest.proof, tuple(batches)))
    parts = ["## What was compared", notes]
    if places := manifest.proof.unexercised:
        rows = [(f"{one.file}:{one.line}", one.what, one.text) for one in places]
        parts += ["Of the module's source, the inputs of the comparison did not run:", table(("", "", "line"), rows)]
    return ["\n\n".join(parts)]


def _notes(proof: Proof, batches: tuple[int, ...]) -> Iterator[str]:
    yield f"Compared on {compared_on(proof, batches)}."
    if ran := lines_run(proof):
        yield f"{ran[0].upper()}{ran[1:]}, counting the functions outside torch that it calls."
    if not proof.varies:
        yield "The outputs hardly vary with these inputs. That a graph answers alike shows little, and proves nothing."
    if proof.accepted:
        yield (
            "A graph may have frozen a branch that depends on data, as these inputs took it. Whoever exported it took "
            "that on (--accept-unexercised)."
        )
    for one in proof.assumed:
        yield f"Taken as given: {one}."
