import pytest

from lit_infer.errors import GateError, UsageError
from lit_infer.folder.job import ErrorLimit


@pytest.mark.parametrize(
    ("text", "failed", "count", "stops"),
    [
        ("0", 0, 5, False),
        ("0", 1, 5, True),
        ("10", 10, 10, False),
        ("10", 11, 1000, True),
        ("5%", 50, 60, False),
        ("5%", 5, 100, False),
        ("5%", 6, 100, True),
        ("0.5%", 2, 300, True),
        ("100%", 300, 300, False),
    ],
)
def test_a_limit_is_a_number_or_a_share_of_at_least_100(text: str, failed: int, count: int, stops: bool) -> None:
    if not stops:
        ErrorLimit(text).check(failed=failed, count=count)
        return
    with pytest.raises(GateError, match=f"{failed} of {count} images failed, more than --max-errors {text}"):
        ErrorLimit(text).check(failed=failed, count=count)


@pytest.mark.parametrize("text", ["", "-1", "ten", "101%", "5 %", "1.5", "%"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="give a number"):
        ErrorLimit(text)
