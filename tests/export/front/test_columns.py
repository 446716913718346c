from pathlib import Path

import pytest

from lit_export.front.columns import columns, training_transformer
from lit_export.options import Options
from lit_infer.errors import LitError, NotFoundError, UsageError
from lit_infer.rows.facts import BooleanColumn, CategoryColumn, NumberColumn, RowFields, TableColumn

TEXT = """
columns:
  - {name: age, number: {mean: 40.5, scale: 10, missing: 40}}
  - {name: job, category: {vocabulary: [cook, smith], unknown: 2}}
  - {name: smoker, boolean: {}}
inputs:
  numbers: [age, smoker]
  jobs: [job]
"""


def test_a_file_has_the_columns_and_where_they_go(tmp_path: Path) -> None:
    (tmp_path / "columns.yaml").write_text(TEXT)

    assert columns(Options(columns=str(tmp_path / "columns.yaml"))) == RowFields(
        columns=(
            TableColumn(name="age", number=NumberColumn(mean=40.5, scale=10, missing=40)),
            TableColumn(name="job", category=CategoryColumn(vocabulary=("cook", "smith"), unknown=2)),
            TableColumn(name="smoker", boolean=BooleanColumn()),
        ),
        inputs={"numbers": ("age", "smoker"), "jobs": ("job",)},
    )


@pytest.mark.parametrize("name", ["SCALER", "scaler"])
def test_they_are_read_off_a_transformer_or_off_what_a_function_makes(name: str) -> None:
    found = columns(Options(columns=f"tests.export.tabular_net:{name}"))

    assert found is not None
    assert [column.name for column in found.columns] == ["x0", "x1"]
    assert training_transformer(Options(columns=f"tests.export.tabular_net:{name}")) is not None


def test_without_the_option_there_are_none() -> None:
    assert columns(Options()) is None
    assert training_transformer(Options()) is None


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("none.yaml", NotFoundError, "no file at none.yaml; for a transformer give PKG.MOD:NAME"),
        ("tests.export.tabular_net:NOT_FITTED", UsageError, "StandardScaler is not fitted"),
        ("tests.export.tabular_net:NO_TRANSFORMER", UsageError, "is a int, not a fitted transformer"),
        ("tests.export.tabular_net:nothing", LitError, "nothing"),
    ],
)
def test_what_has_no_columns_is_told(text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        columns(Options(columns=text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("columns: 3", "columns"),
        ("- 1", "object"),
        (":", "cannot be read|expected|Expected"),
        ("columns: [{name: a}]", "give one of"),
    ],
)
def test_a_file_of_something_else_names_the_field(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "columns.yaml").write_text(text)

    with pytest.raises(UsageError, match=said):
        columns(Options(columns=str(tmp_path / "columns.yaml")))
