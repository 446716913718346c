import pytest

from lit_infer.manifest import Tensor
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.facts import NumberColumn, RowFields, TableColumn
from lit_infer.rows.fields import fields_of
from tests.support.tensors import tensor_manifest


def test_a_manifest_with_columns_is_of_a_table_and_any_other_of_arrays() -> None:
    columns = RowFields(columns=(TableColumn(name="age", number=NumberColumn()),))
    rows = (Tensor(name="rows", dtype="float32", shape=("batch", 1)),)
    table = tensor_manifest(task="tabular-regression", fields=columns, inputs=rows)

    assert isinstance(fields_of(tensor_manifest()), ArrayFields)
    assert fields_of(table) == ColumnFields(columns, ("rows",))


def test_fields_that_make_other_inputs_than_the_graph_has_are_refused() -> None:
    columns = RowFields(columns=(TableColumn(name="age", number=NumberColumn()),))

    with pytest.raises(ValueError, match="fields make rows, and the inputs are"):
        tensor_manifest(task="tabular-regression", fields=columns)


def test_the_arrays_are_in_the_order_of_the_graph_whatever_that_of_the_facts() -> None:
    facts = RowFields(
        columns=(TableColumn(name="a", number=NumberColumn()), TableColumn(name="b", number=NumberColumn())),
        inputs={"first": ("a",), "second": ("b",)},
    )
    tensors = tuple(Tensor(name=name, dtype="float32", shape=("batch", 1)) for name in ("second", "first"))
    fields = fields_of(tensor_manifest(task="tabular-regression", fields=facts, inputs=tensors))

    (group,), _ = fields.groups(fields.block([{"a": 1, "b": 2}]))

    assert [array.item() for array in group.arrays] == [2, 1]
