"""lit_export.proof.sizes: sizes that a graph may have been frozen for are compared too."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from lit_export.proof.samples import Sample
from lit_export.proof.sizes import Doubt, DoubtedSizes
from lit_infer.errors import GateError
from lit_infer.manifest import DeploymentFacts, Parity
from tests.support.targets import target_for


class UpToTwenty(nn.Module):
    """It takes no more than 20 rows."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] > 20:
            raise ValueError("too many")
        return x * torch.tensor(2.0)


def doubted(*doubts: Doubt, known: Sequence[Doubt] = ()) -> DoubtedSizes:
    sizes = DoubtedSizes(target_for(UpToTwenty().eval(), DeploymentFacts(task="tensor"), inputs=("4",)))
    sizes.add(doubts, known)
    return sizes


def parity_of(samples: Sequence[Sample]) -> Parity:
    """A graph that is right for up to 16 rows."""
    rows = tuple(one.rows for one in samples)
    if max(rows) > 16:
        raise GateError("the graph answers [16, 4]")
    return Parity(batches=rows, inputs="noise", max_abs=0, max_rel=0, cosine=1, agreement=None, atol=0, rtol=0)


def test_a_size_that_a_graph_is_wrong_for_is_named_with_the_line_and_the_cure() -> None:
    sizes = doubted(Doubt("batch", 3, ""), Doubt("batch", 17, ""), known=[Doubt("batch", 17, "net.py:9")])
    with pytest.raises(GateError) as caught:
        sizes.compare([], parity_of)
    assert str(caught.value) == (
        "with 17 rows, the graph answers [16, 4]. forward decides on that size (net.py:9): write it for any, or fix it "
        "with --static-batch N"
    )


def test_what_was_compared_there_counts_in_the_parity() -> None:
    measured = doubted(Doubt("batch", 5, ""), Doubt("batch", 7, "")).compare([], parity_of)
    assert measured is not None
    assert measured.batches == (5, 7)


def test_a_size_that_the_module_itself_does_not_take_is_no_matter() -> None:
    assert doubted(Doubt("batch", 21, "")).compare([], parity_of) is None
    assert doubted().compare([], parity_of) is None
