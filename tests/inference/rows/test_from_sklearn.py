"""What is read off a fitted transformer prepares rows as the transformer does."""

from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.from_sklearn import read

RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(3, 20, (50, 3))
GAPS = np.where(RANDOM.random((50, 3)) < 0.2, np.nan, NUMBERS)
WORDS = RANDOM.choice(["red", "green", "blue"], (50, 2)).astype(object)
MIXED = np.concatenate([NUMBERS.astype(object), WORDS], axis=1)


def ours(transformer: Any, rows: Any) -> Any:
    fields = read(transformer)
    names = [f"x{index}" for index in range(rows.shape[1])]
    runtime = ColumnFields(fields)
    (group,), errors = runtime.groups(runtime.block([dict(zip(names, row, strict=True)) for row in rows]))
    assert errors == {}
    return group.arrays[0]


@pytest.mark.parametrize(
    ("transformer", "rows"),
    [
        (StandardScaler(), NUMBERS),
        (StandardScaler(with_mean=False), NUMBERS),
        (StandardScaler(with_std=False), NUMBERS),
        (MinMaxScaler((-1, 1)), NUMBERS),
        (MaxAbsScaler(), NUMBERS),
        (RobustScaler(), NUMBERS),
        (SimpleImputer(strategy="median"), GAPS),
        (make_pipeline(SimpleImputer(), StandardScaler()), GAPS),
        (OrdinalEncoder(), WORDS),
        (OneHotEncoder(sparse_output=False), WORDS),
        (ColumnTransformer([("n", StandardScaler(), [2, 0]), ("c", OrdinalEncoder(), [4])]), MIXED),
        (ColumnTransformer([("c", OneHotEncoder(), [3])], remainder="passthrough", sparse_threshold=0), MIXED[:, :4]),
        (ColumnTransformer([("d", "drop", [0]), ("n", make_pipeline(MinMaxScaler()), slice(1, 3))]), NUMBERS),
    ],
)
def test_rows_are_prepared_as_the_transformer_does_it(transformer: Any, rows: Any) -> None:
    theirs = transformer.fit(rows).transform(rows)

    assert np.allclose(ours(transformer, rows), theirs.astype(np.float32), rtol=2e-6, atol=2e-6)


def test_unknown_and_missing_categories_are_those_of_the_encoder() -> None:
    rows = np.array([["a"], ["b"], [np.nan]], dtype=object)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1).fit(rows)
    asked = np.array([["b"], ["z"], [np.nan]], dtype=object)

    assert np.array_equal(ours(encoder, asked), encoder.transform(asked))


def test_names_are_those_it_was_fitted_with_or_those_given() -> None:
    fitted = StandardScaler().fit(NUMBERS)
    fitted.feature_names_in_ = np.array(["a", "b", "c"], dtype=object)

    assert [column.name for column in read(fitted).columns] == ["a", "b", "c"]
    assert [column.name for column in read(fitted, ["d", "e", "f"]).columns] == ["d", "e", "f"]
    with pytest.raises(ValueError, match="2 names for the 3 columns of StandardScaler"):
        read(fitted, ["d", "e"])


@pytest.mark.parametrize(
    ("transformer", "rows", "said"),
    [
        (PowerTransformer(), NUMBERS, "PowerTransformer is not one of StandardScaler, MinMaxScaler"),
        (MinMaxScaler(clip=True), NUMBERS, "MinMaxScaler"),
        (SimpleImputer(add_indicator=True), GAPS, "adds columns"),
        (OneHotEncoder(drop="first"), WORDS, "OneHotEncoder with drop"),
        (make_pipeline(StandardScaler(), MinMaxScaler()), NUMBERS, "only an imputer may come before"),
        (OrdinalEncoder(), np.array([["a"], [np.nan]], dtype=object), "missing values of x0 become NaN"),
    ],
)
def test_what_columns_cannot_do_is_refused(transformer: Any, rows: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(transformer.fit(rows))


def test_a_transformer_that_is_not_fitted_is_told() -> None:
    with pytest.raises(ValueError, match="StandardScaler is not fitted"):
        read(StandardScaler())
