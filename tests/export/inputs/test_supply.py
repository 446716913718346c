"""lit_export.inputs.supply: rows of real data, rows like an example's, or noise within bounds."""

import numpy as np

from lit_export.inputs.supply import Supply
from lit_export.inputs.typed import Bounds

IDS = np.array([[39, 8], [0, 1], [5, 3]])
VALUES = np.array([39.5, 0.5, 5.5], dtype=np.float32)
SUPPORT = np.arange(8, dtype=np.float32).reshape(4, 2) + 0.5


def supply(**changed: object) -> Supply:
    plain = {
        "names": ("ids", "values", "support"),
        "axes": (0, 0, None),
        "sides": (("batch", 2), ("batch",), (4, 2)),
        "batches": ((IDS, VALUES, SUPPORT),),
    }
    return Supply(**{**plain, **changed})  # type: ignore[arg-type]


def test_real_rows_are_given_as_they_are_and_all_of_them() -> None:
    ids, values, support = supply(keeps_rows=True).drawn(np.random.default_rng(0), {"batch": 7})

    assert {tuple(row) for row in ids.tolist()} == {tuple(row) for row in IDS.tolist()}
    np.testing.assert_array_equal(ids[:, 0] + 0.5, values)  # the same row of each
    np.testing.assert_array_equal(support, SUPPORT)


def test_made_up_rows_are_within_the_example_and_inputs_without_a_batch_keep_their_sides() -> None:
    ids, values, support = supply().drawn(np.random.default_rng(0), {"batch": 64})

    assert (ids.shape, values.shape, support.shape) == ((64, 2), (64,), (4, 2))
    assert ids.max(0).tolist() == [39, 8]
    assert 0.5 <= values.min() < values.max() <= 39.5
    assert len(np.unique(ids, axis=0)) > len(IDS)


def test_the_batch_may_be_another_axis() -> None:
    found = supply(axes=(1, 0, None), sides=((2, "batch"), ("batch",), (4, 2)), batches=((IDS.T, VALUES, SUPPORT),))

    ids, values, _ = found.drawn(np.random.default_rng(0), {"batch": 5})

    assert (ids.shape, values.shape) == ((2, 5), (5,))
    assert found.count({"batch": 5}) == 5
    assert found.sizes() == {"batch": 3}


def test_bounds_take_the_place_of_the_rows() -> None:
    ids, _, _ = supply(bounds={0: Bounds(100, 101)}, keeps_rows=True).drawn(np.random.default_rng(0), {"batch": 20})

    assert set(np.unique(ids)) == {100, 101}


def test_each_batch_is_drawn_from_by_itself() -> None:
    found = supply(batches=((IDS, VALUES, SUPPORT), (IDS + 100, VALUES, SUPPORT)), keeps_rows=True)

    drawn = [found.drawn(np.random.default_rng(0), {"batch": 4}, batch=batch)[0] for batch in (0, 1, 2)]

    assert [bool(ids.min() >= 100) for ids in drawn] == [False, True, False]


def test_a_scalar_keeps_having_no_sides() -> None:
    found = Supply(("t",), (None,), ((),), ((np.array(2.5),),))

    (drawn,) = found.drawn(np.random.default_rng(0), {})

    assert (drawn.shape, float(drawn), found.count({})) == ((), 2.5, 1)
