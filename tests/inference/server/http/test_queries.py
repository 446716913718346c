"""Query parameters are known and given once."""

import pytest
from starlette.datastructures import QueryParams

from lit_infer.errors import UsageError
from lit_infer.server.http import queries

KNOWN = ("model", "top_k", "threshold")


@pytest.mark.parametrize(
    ("query", "said"),
    [("topk=3", "did you mean top_k"), ("tresh=1", "did you mean threshold"), ("x=1", "only model, top_k, threshold$")],
)
def test_an_unknown_one_names_the_nearest(query: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        queries.check(QueryParams(query), KNOWN)


def test_one_that_is_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="top_k is given 2 times"):
        queries.check(QueryParams("top_k=1&top_k=2"), KNOWN)


def test_known_ones_pass() -> None:
    queries.check(QueryParams("model=a&top_k=1"), KNOWN)
