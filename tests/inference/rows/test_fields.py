from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.facts import NumberColumn, RowFields, TableColumn
from lit_infer.rows.fields import fields_of
from tests.support.tensors import tensor_manifest


def test_a_manifest_with_columns_is_of_a_table_and_any_other_of_arrays() -> None:
    columns = RowFields(columns=(TableColumn(name="age", number=NumberColumn()),))
    table = tensor_manifest(task="tabular-regression", fields=columns)

    assert isinstance(fields_of(tensor_manifest()), ArrayFields)
    assert fields_of(table) == ColumnFields(columns)
