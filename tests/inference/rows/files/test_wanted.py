import numpy as np
import pytest

from lit_infer import progress
from lit_infer.errors import InputError, UsageError
from lit_infer.manifest import Tensor
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.files.wanted import Wanted, checked_count, kept_values, rows_to_read

FIELDS = ArrayFields(tuple(Tensor(name=name, dtype="float32", shape=("batch",)) for name in ("a", "b")))


def test_a_column_that_is_missing_is_named_with_those_that_are_there() -> None:
    with pytest.raises(InputError, match=r"there is no years in it, only a, b \(--column INPUT=NAME says"):
        Wanted(FIELDS, {"a": "years"}).check_names(["a", "b"])


def test_a_column_to_carry_over_is_a_mistake_only_if_no_file_had_it() -> None:
    wanted = Wanted(FIELDS, {}, ("id",))

    with pytest.raises(UsageError, match="--keep id: there is no such column, only a, b"):
        wanted.check_names(["a", "b"])
    wanted.check_names(["a", "b", "id"])
    with pytest.raises(InputError, match="there is no id in it"):
        wanted.check_names(["a", "b"])


def test_a_column_that_is_not_used_is_said() -> None:
    said: list[str] = []
    with progress.listening(progress.Listener(note=said.append)):
        Wanted(FIELDS, {"a": "years"}, ("id",)).check_names(["years", "b", "id", "label"])

    assert said == ["not used: label"]


def test_a_column_for_no_input_of_the_model_is_refused() -> None:
    Wanted(FIELDS, {"a": "years"}).check_columns()
    with pytest.raises(UsageError, match="--column c=years: the model takes a, b"):
        Wanted(FIELDS, {"c": "years"}).check_columns()


def test_arrays_of_other_lengths_are_told_apart() -> None:
    assert checked_count({"a": (3, 2), "b": (3,)}) == 3
    with pytest.raises(InputError, match="a has 3 rows and b 4"):
        checked_count({"a": (3, 2), "b": (4,)})


def test_only_a_value_for_each_row_can_be_carried_over() -> None:
    assert kept_values("id", np.array([b"a", b"\xff"])) == ["a", "\ufffd"]
    for array in (np.zeros((2, 2)), np.zeros(2, dtype=complex)):
        with pytest.raises(InputError, match=r"--keep id: it is .*, not a value for each row"):
            kept_values("id", array)


@pytest.mark.parametrize(("size", "row", "wanted"), [(8, 1e9, 8), (8, 2**19, 8), (64, 1024, 4096), (3, 0, 16383)])
def test_some_megabytes_are_read_at_once_and_whole_batches(size: int, row: float, wanted: int) -> None:
    assert rows_to_read(size, row) == wanted
