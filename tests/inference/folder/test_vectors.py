from pathlib import Path

import numpy as np
import pytest

from lit_infer.errors import UsageError
from lit_infer.folder import run_job, vectors
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.folder.vectors import vector, width
from lit_infer.manifest import Tensor
from lit_infer.predictions import Prediction
from lit_infer.predictor import Predictor
from tests.inference.tiny import described


def test_a_row_for_each_image_all_scores_in_index_order_nan_where_it_failed(
    predictor: Predictor, colours: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.png").touch()
    inputs = parse([str(colours), str(tmp_path / "empty.png")])
    rows = []

    run_job(predictor, inputs, Job(top_k=1, embeddings=tmp_path / "made/out.npy"), each=rows.append)

    found = np.load(tmp_path / "made/out.npy")
    assert (found.shape, found.dtype) == ((13, 3), np.float32)
    assert np.isnan(found[12]).all()
    np.testing.assert_allclose(found[:12].sum(axis=1), 1, rtol=1e-6)
    assert [float(scores.max()) for scores in found[:12]] == [row["score"] for row in rows[:12]]
    assert all(len(row["top"]) == 1 for row in rows[:12])


def test_no_rows_make_an_empty_array_of_the_same_width(tmp_path: Path) -> None:
    empty = vectors.Vectors(tmp_path, 3)

    assert np.load(empty.finish()).shape == (0, 3)
    empty.close()


def test_the_header_is_as_long_for_any_number_of_rows() -> None:
    assert len({len(vectors.header(rows, 512)) for rows in (0, 9, 10**6, 10**12)}) == 1


def test_the_graphs_row_is_taken_as_it_is() -> None:
    output = np.arange(4, dtype=np.float32).reshape(2, 2)

    np.testing.assert_array_equal(vector(Prediction("a", output=output), 4), output.ravel())
    assert np.isnan(vector(Prediction("a", error="no", code="empty"), 4)).all()


def test_an_output_without_a_fixed_size_is_refused() -> None:
    output = Tensor(name="features", dtype="float32", shape=("batch", "length", 4))

    with pytest.raises(UsageError, match="is not fixed"):
        width(described(outputs=(output,), labels=None, task="image-embedding"))


def test_an_embedding_model_needs_a_place_for_its_embeddings(
    predictor: Predictor, colours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "manifest", described(task="image-embedding"))

    with pytest.raises(UsageError, match=r"--embeddings out\.npy"):
        run_job(predictor, parse([str(colours)]), Job())
