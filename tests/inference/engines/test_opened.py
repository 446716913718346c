"""What a graph's own manifest says before anybody else reads it."""

import pytest

from lit_infer import manifest
from lit_infer.engines.opened import rows_are_joined
from tests.inference.tiny import described


@pytest.mark.parametrize("rows", ["joined", "independent"])
def test_whether_rows_are_joined_is_in_the_manifest_that_a_file_carries(rows: str) -> None:
    embedded = manifest.encode(described(rows=rows)).decode()

    assert rows_are_joined(embedded) is (rows == "joined")


@pytest.mark.parametrize("embedded", [None, "{}", "", "not JSON", '{"rows": 3}'])
def test_what_says_nothing_is_left_to_whoever_reads_the_manifest(embedded: str | None) -> None:
    assert not rows_are_joined(embedded)
