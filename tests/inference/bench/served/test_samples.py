from pathlib import Path

import numpy as np
import pytest

from lit_infer.bench.inputs import Repeated, noise_of
from lit_infer.bench.served.samples import FileSamples, PreparedSamples
from lit_infer.errors import UsageError


def test_prepared_samples_are_64_different_rows_and_an_index_goes_round() -> None:
    samples = PreparedSamples(noise_of({"x": ("uint8", (None, 4, 4))}), ["x"])

    rows = samples.rows([0, 1, 64])["x"]

    assert (samples.count, samples.row_bytes) == (64, 16)
    assert not np.array_equal(rows[0], rows[1])
    assert np.array_equal(rows[0], rows[2])


def test_of_large_rows_only_as_many_are_kept_as_64_mib_hold() -> None:
    zeros = Repeated({"x": np.zeros((1, 2**25), dtype=np.uint8)})

    assert PreparedSamples(zeros, ["x"]).count == 2


def test_arrays_for_another_model_are_refused() -> None:
    with pytest.raises(UsageError, match="takes a, b; there are arrays for a"):
        PreparedSamples(Repeated({"a": np.ones((1, 2))}), ["a", "b"])


def test_what_has_no_rows_is_sent_whole() -> None:
    samples = PreparedSamples(
        noise_of({"x": ("float32", (None, 2)), "y": ("float32", (7, 2))}), ["x", "y"], are_rows=False
    )

    assert {name: len(array) for name, array in samples.rows([3, 4, 5]).items()} == {"x": 3, "y": 7}


def test_files_are_read_for_each_request_and_the_largest_are_known(tmp_path: Path) -> None:
    files = [tmp_path / str(size) for size in (3, 1, 2)]
    for file in files:
        file.write_bytes(b"x" * int(file.name))

    samples = FileSamples(files, "images")

    assert samples.rows([1, 2, 3]) == {"images": [b"x", b"xx", b"xxx"]}
    assert list(samples.largest(4)) == [0, 2, 1, 0]
    assert samples.row_bytes == 3
    files[1].unlink()
    with pytest.raises(UsageError, match=r"cannot measure with .*/1: no such file"):
        samples.rows([1])
