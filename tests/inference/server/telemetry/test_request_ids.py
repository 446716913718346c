"""Requests keep the ids that clients give them, if those are well-formed."""

import pytest

from lit_infer.server.telemetry.request_ids import RequestIds


@pytest.mark.parametrize("sent", [b"r1", b"a.b_c:d-e", b"x" * 128])
def test_a_well_formed_id_is_kept(sent: bytes) -> None:
    assert RequestIds().of([(b"host", b"h"), (b"x-request-id", sent)]) == sent


@pytest.mark.parametrize("sent", [b"", b"a b", b"x" * 129, b"a\nb", "é".encode(), b'"'])
def test_any_other_is_replaced(sent: bytes) -> None:
    assert RequestIds().of([(b"x-request-id", sent)]) != sent


def test_new_ids_differ_also_between_servers() -> None:
    ids, others = RequestIds(), RequestIds()

    assert len({one.of([]) for one in (ids, ids, others, others)}) == 4
