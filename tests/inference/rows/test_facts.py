import math
from typing import Any

import msgspec
import pytest

from lit_infer.rows.facts import (
    AudioField,
    BooleanColumn,
    CategoryColumn,
    NumberColumn,
    RowFields,
    TableColumn,
    TextField,
    is_index_input,
)

AGE = TableColumn(name="age", number=NumberColumn(mean=40, scale=10))
JOB = TableColumn(name="job", category=CategoryColumn(vocabulary=("a", "b")))
TOWN = TableColumn(name="town", category=CategoryColumn(vocabulary=("x", "y", "z"), one_hot=True, unknown=-1))

AUDIO = AudioField(rate=16_000, samples=8_000)
TEXT = TextField(tokenizer_sha256="0" * 64, max_length=8, inputs={"tokens": "ids"})


def test_without_inputs_all_columns_are_one() -> None:
    fields = RowFields(columns=(AGE, TOWN))

    assert fields.layout == {"rows": ("age", "town")}
    assert [column.width for column in fields.columns] == [1, 3]


def test_an_input_is_of_indices_only_where_all_of_its_columns_are() -> None:
    fields = RowFields(columns=(AGE, JOB, TOWN), inputs={"numbers": ("age", "town"), "jobs": ("job",)})

    assert {name: is_index_input(columns) for name, columns in fields.of_inputs().items()} == {
        "numbers": False,
        "jobs": True,
    }


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: TableColumn(name="a"), "column a: give one of number, category and boolean"),
        (lambda: TableColumn(name="a", number=NumberColumn(), boolean=BooleanColumn()), "give one of"),
        (lambda: NumberColumn(scale=0), "scale not 0"),
        (lambda: NumberColumn(mean=math.nan), "must be finite"),
        (lambda: NumberColumn(missing=math.inf), "no number to stand for one"),
        (lambda: CategoryColumn(vocabulary=()), "at least one category"),
        (lambda: CategoryColumn(vocabulary=("1", 1)), "none of them twice"),
        (lambda: CategoryColumn(vocabulary=("a",), unknown=2), "unknown is 2, and the indices are -1 to 1"),
        (lambda: CategoryColumn(vocabulary=("a",), unknown=1, one_hot=True), "the indices are -1 to 0"),
        (lambda: RowFields(columns=()), "at least one column is needed"),
        (lambda: RowFields(columns=(AGE, AGE)), "none of them twice"),
        (lambda: RowFields(columns=(AGE, JOB), inputs={"x": ("age",)}), "job does not"),
        (lambda: RowFields(columns=(AGE,), inputs={"x": ("age",), "y": ("age",)}), "age does not"),
        (lambda: AudioField(rate=100, samples=1), "the rate is 1,000 to 768,000 samples a second, not 100"),
        (lambda: AudioField(rate=1_000, samples=0), "samples are 1 to 600,000, 600 s"),
        (lambda: AudioField(rate=1_000, samples=600_001), "samples are 1 to 600,000"),
        (lambda: AudioField(rate=1_000, samples=9, hop=3), "hop is for longer: chunks"),
        (lambda: AudioField(rate=1_000, samples=9, longer="chunks", hop=10), "from 1 to samples"),
        (lambda: AudioField(rate=1_000, samples=9, longer="chunks", shorter="repeat"), "what is shorter is filled up"),
        (lambda: RowFields(audio=AUDIO, columns=(AGE,)), "give one of columns, text and audio"),
        (lambda: RowFields(audio=AUDIO, text=TEXT), "give one of columns, text and audio"),
        (lambda: RowFields(audio=AUDIO, inputs={"x": ("age",)}), "give one of columns, text and audio"),
    ],
)
def test_facts_that_make_no_sense_are_refused(made: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        made()


def test_facts_survive_json() -> None:
    fields = RowFields(columns=(AGE, JOB, TOWN), inputs={"numbers": ("age", "town"), "jobs": ("job",)})

    assert msgspec.json.decode(msgspec.json.encode(fields), type=RowFields) == fields


def test_a_column_is_told_in_words() -> None:
    assert AGE.kind.describe() == "a number, less 40, divided by 10"
    assert NumberColumn(missing=3).describe() == "a number; 3 stands for a missing one"
    assert TOWN.kind.describe() == "one of 3 categories, one-hot; an unknown one is zeros"
    assert (
        CategoryColumn(vocabulary=("a",), missing=1).describe() == "one of 1 categories, its index; a missing one is 1"
    )
    assert BooleanColumn(missing=0.5).describe() == "true or false; 0.5 stands for a missing one"


def test_fields_are_of_one_kind_and_name_the_inputs_that_they_make() -> None:
    found = [RowFields(columns=(AGE, JOB)), RowFields(text=TEXT), RowFields(audio=AUDIO)]

    assert [(one.kind, one.made) for one in found] == [
        ("columns", ("rows",)),
        ("text", ("tokens",)),
        ("audio", ("audio",)),
    ]


def test_a_recording_is_told_in_words() -> None:
    assert AUDIO.describe() == (
        "a recording, mixed to one channel, at 16,000 samples a second (soxr_hq), 0.5 s: of a longer one its start, a "
        "shorter one filled up with zeros"
    )
    chunks = AudioField(rate=16_000, samples=8_000, longer="chunks", hop=4_000)
    assert "the mean of the answers for chunks that begin every 0.25 s" in chunks.describe()
    assert (AUDIO.shape, AudioField(rate=1_000, samples=5, has_channel=True).shape) == ((8_000,), (1, 5))
