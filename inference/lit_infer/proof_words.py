"""What a proof showed, in words: the same in the terminal, in `report.md`, on the server's page and in the self-test.

"Proven" is said of what was compared and no more. Where the outputs hardly vary, the word is not said.
"""

from collections.abc import Sequence

from lit_infer.manifest import Parity, Proof, ProofInputs, Unexercised

MADE_OF: dict[ProofInputs, str] = {
    "noise": "seeded noise",
    "example": "the module's own example, its rows resampled",
    "images": "image files and noise",
    "data": "validation data",
    "file": "inputs from a file",
}
"""What a comparison was made on. The names of the keys are the manifest's."""
HARDLY_VARY = "its outputs hardly vary"
AS_STATED = "the preprocessing is as stated, and was not compared with training"


def verdict(proof: Proof | None, parity: Parity) -> str:
    """One line for one graph: whether it is proven, on what, and how far it is off."""
    most = f"max difference {parity.max_abs:.1e}"
    if proof is None:  # of an older export
        return f"compared on {MADE_OF[parity.inputs]} ({_batches(parity.batches)}), {most}"
    on = f"on {compared_on(proof, parity.batches)}"
    taken_on = "what it may have frozen is taken on" if proof.accepted else ""
    ran = "".join(f", {part}" for part in (lines_run(proof), taken_on) if part)
    if not proof.varies:
        return f"compared {on}{ran}; {HARDLY_VARY}, {most}"
    return f"proven {on}{ran}, {most}"


def compared_on(proof: Proof, batches: Sequence[int]) -> str:
    """`64 rows of the validation data of pkg.mod:Data (batches 1, 2, 3, 8)`."""
    what = proof.source or MADE_OF[proof.inputs]
    return f"{_count(proof.rows, 'row')} of {what} ({_batches(batches)})"


def pixels_compared(proof: Proof | None) -> str:
    """What is known of the pixels: whether they were compared with training's own transform."""
    found = proof.pixels if proof is not None else None
    if found is None:
        return AS_STATED
    on = f"against {found.transform} on {_count(found.images, 'image')} ({found.source})"
    if not found.max_difference:
        return f"pixels proven {on}, all equal"
    return f"pixels compared {on}, up to {found.max_difference:.2g} apart where {found.allowed:.2g} was allowed"


def rows_compared(proof: Proof | None) -> str:
    """What is known of the rows of a table: whether their preparation was compared with training's own code."""
    found = proof.prepared if proof is not None else None
    if found is None:
        return "rows prepared as stated, not compared with training's code"
    apart = f"up to {found.max_difference:.2g} apart, which is rounding" if found.max_difference else "all equal"
    return f"rows proven against {found.prepare} on {_count(found.rows, 'row')} ({found.source}), {apart}"


def lines_run(proof: Proof) -> str:
    """How much of the module's source ran; nothing where there is no source."""
    if proof.lines is None or proof.lines_run is None:
        return ""
    missed, sides = proof.lines - proof.lines_run, one_sided(proof.unexercised)
    also = f", {_count(sides, 'conditional')} on one side only" if sides else ""
    if missed:
        return f"{missed} of {_count(proof.lines, 'line')} of forward never ran{also}"
    whole = f"all {proof.lines} lines" if proof.lines > 1 else "the one line"
    return f"{whole} of forward run{also}"


def one_sided(places: Sequence[Unexercised]) -> int:
    """How many of the places are conditionals of which one side never ran."""
    return sum(one.what != "never ran" for one in places)


def place(one: Unexercised) -> str:
    """`pkg/net.py:12, always true: if x.any():`."""
    return f"{one.file}:{one.line}, {one.what}: {one.text}"


def _batches(batches: Sequence[int]) -> str:
    sizes = sorted(set(batches))
    return f"{'batch' if len(sizes) == 1 else 'batches'} {', '.join(map(str, sizes))}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else f'{noun}s'}"
