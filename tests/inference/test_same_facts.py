from msgspec.structs import replace

from lit_infer.manifest import Scale
from lit_infer.same_facts import differences
from tests.inference.tiny import described


def test_facts_that_decide_answers_are_named_where_they_differ() -> None:
    one = described()
    other = replace(described(labels=("a", "b", "c")), source=replace(one.source, weights="ema", adapter="x:Y"))

    assert differences(one, other) == ["labels", "weights", "adapter"]


def test_graphs_that_scale_their_pixels_otherwise_are_of_two_models() -> None:
    one = described()

    assert differences(one, replace(one, scale=Scale(by=1.0))) == ["scale"]


def test_what_each_export_adds_of_its_own_is_no_difference() -> None:
    one = described()

    assert differences(one, one.embedded()) == []
    assert differences(one, replace(one, source=replace(one.source, reference="local/a/b:v1"))) == []
