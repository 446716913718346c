"""lit_export.inputs.pinned: `--batch-axis`."""

import pytest

from lit_export.inputs.pinned import by_index, pinned
from lit_infer.errors import UsageError


def test_axes_are_read_by_name_and_found_by_place() -> None:
    wanted = pinned(["state=1", "support=none"])

    assert wanted == {"state": 1, "support": None}
    assert by_index(wanted, ["x", "support", "state"], [2, 2, 3]) == {1: None, 2: 1}
    assert by_index(pinned(["none"]), ["x", "y"], [2, 2]) == {0: None, 1: None}


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("state", "expected INPUT=AXIS"),
        ("state=first", "expected INPUT=AXIS"),
        ("stat=1", "no such input; the inputs are x, state"),
        ("x=2", "it has 2 sides"),
    ],
)
def test_what_makes_no_sense_is_explained(wish: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        by_index(pinned([wish]), ["x", "state"], [2, 3])
