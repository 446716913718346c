"""The names of a graph's inputs and outputs are theirs alone.

torch's exporter calls a value after its operator, `embedding` or `mean`, and then renames inputs and outputs as asked:
an output that is called as an operator is would share its name with a value inside, and no runtime opens such a graph.
"""

from itertools import count
from typing import Any


def with_own_names(model: Any) -> Any:
    """The same model (`onnx_ir.Model`), in which values inside that are called as an input or output is are renamed."""
    import onnx_ir as ir

    outer = [*model.graph.inputs, *model.graph.outputs]
    reserved = {value.name for value in outer}
    inside = [value for node in ir.traversal.RecursiveGraphIterator(model.graph) for value in node.outputs]
    used = reserved | {value.name for value in inside}
    for value in inside:
        if value.name in reserved and not any(value is one for one in outer):
            value.name = next(name for number in count() if (name := f"{value.name}_inside_{number}") not in used)
            used.add(value.name)
    return model
