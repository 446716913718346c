"""What goes into the manifest about a proof, and what is said of it while it is made."""

from collections.abc import Sequence

from lit_export.options import Options
from lit_export.proof.branches import Branches
from lit_export.proof.samples import Sample
from lit_export.proof.variation import hardly_varying
from lit_export.tasks import Target
from lit_infer import progress
from lit_infer.manifest import Proof
from lit_infer.proof_words import lines_run


def proof_of(target: Target, expected: Sequence[Sample], branches: Branches, options: Options) -> Proof:
    """What the graphs of an export are compared on, and what that does not show."""
    still = hardly_varying(target, expected)
    varies = len(still) < len(target.outputs)
    compared = sum(sample.rows for sample in expected)
    from_files = options.images is not None and target.takes_images
    proof = Proof(
        inputs="images" if from_files else target.inputs_kind,
        source=None if from_files else target.inputs_source,
        rows=min(compared, target.inputs_given or compared),
        lines=branches.exercised.lines,
        lines_run=branches.exercised.lines_run,
        unexercised=branches.unexercised(),
        accepted=options.accept_unexercised and bool(branches.frozen),
        varies=varies,
        assumed=(*target.assumed, *(f"the output {name} hardly varies" for name in still if varies)),
    )
    _tell(proof, still)
    return proof


def _tell(proof: Proof, still: Sequence[str]) -> None:
    """What a person should know now; the rest is in the report."""
    if not proof.varies:
        progress.note(
            "warning: the outputs hardly vary with the inputs (is the module trained?), so that comparing a graph "
            "with it proves nothing"
        )
    elif still:
        progress.note(f"warning: the output {', '.join(still)} hardly varies with the inputs")
    if proof.unexercised:
        progress.note(f"{lines_run(proof)}: see report.md")
