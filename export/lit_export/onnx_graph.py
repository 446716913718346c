"""What float16 and int8 share: which nodes of a proven ONNX file stay exact, and how a file made from it is saved."""

import os
from pathlib import Path
from typing import Any

from lit_infer import files
from lit_infer.errors import GateError

WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


def head_and_tail(graph: Any) -> tuple[set[str], set[str]]:
    """Names of the nodes before the first weighted layer, and of those after the last.

    They make bytes into normalised pixels and logits into probabilities: little work, and every answer goes through
    them, so they stay float32.
    """
    head, tail = set(), set()
    reached: set[str] = set()
    for node in graph.node:
        if node.op_type in WEIGHTED or reached.intersection(_reads(node)):
            reached.update(node.output)
        else:
            head.add(node.name)
    reached.clear()
    for node in reversed(graph.node):
        if node.op_type in WEIGHTED or reached.intersection(node.output):
            reached.update(_reads(node))
        else:
            tail.add(node.name)
    return head, tail


def save(made: Any, out: Path, *, like: Any) -> None:
    """Write a graph that was made from another: same metadata, opset, IR version, inputs and outputs, or GateError.

    One file, whole or not there; the same graph gives the same bytes.
    """
    import onnx

    _sort(made.graph)
    _prune(made.graph)
    _describe(made, like)
    for part in ("input", "output"):
        before, after = ([(entry.name, entry.type) for entry in getattr(model.graph, part)] for model in (like, made))
        if before != after:
            raise GateError(f"the converted graph does not have the {part}s of the float32 graph")
    try:
        onnx.checker.check_model(made, full_check=True)
    except Exception as error:  # onnx's checker and its shape inference share no base but Exception
        raise GateError(f"the converted graph is not valid ONNX: {str(error).strip().splitlines()[0]}") from None
    with files.staging_folder(out.absolute().parent) as staged:
        (staged / out.name).write_bytes(made.SerializeToString(deterministic=True))
        files.sync_tree(staged)
        os.replace(staged / out.name, out)


def _sort(graph: Any) -> None:
    """Put every node after those that it reads from, otherwise in the order that they are in."""
    ready = {"", *(tensor.name for tensor in (*graph.initializer, *graph.input))}
    waiting, ordered = list(graph.node), []
    while waiting:
        late = []
        for node in waiting:
            if ready.issuperset(_reads(node) - _makes(node)):
                ordered.append(node)
                ready.update(node.output)
            else:
                late.append(node)
        if len(late) == len(waiting):
            raise GateError(f"the converted graph reads a value that nothing produces: {late[0].name}")
        waiting = late
    copies = [type(node).FromString(node.SerializeToString()) for node in ordered]
    del graph.node[:]
    graph.node.extend(copies)


def _prune(graph: Any) -> None:
    """Remove nodes and initializers that nothing uses, of a sorted graph."""
    used = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if used.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            used.update(_reads(node))
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)


def _reads(node: Any) -> set[str]:
    """What a node reads, its branches and loop bodies included."""
    return set(node.input).union(*(_reads(inner) for graph in _bodies(node) for inner in graph.node))


def _makes(node: Any) -> set[str]:
    """The names that are made inside a node's branches and loop bodies."""
    found: set[str] = set()
    for graph in _bodies(node):
        found.update(tensor.name for tensor in (*graph.input, *graph.initializer))
        for inner in graph.node:
            found |= set(inner.output) | _makes(inner)
    return found


def _bodies(node: Any) -> list[Any]:
    return [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs) if graph.node]


def _describe(made: Any, like: Any) -> None:
    """As `like`, less the operator sets that no node of this graph is from."""
    version = {entry.domain: entry.version for entry in like.opset_import}
    version |= {entry.domain: entry.version for entry in made.opset_import if entry.domain not in version}
    used = {"", *(node.domain for node in made.graph.node)}
    del made.opset_import[:]
    for domain in sorted(used):
        made.opset_import.add(domain=domain, version=version[domain])
    made.ir_version, made.graph.name = like.ir_version, like.graph.name
    made.producer_name, made.producer_version = like.producer_name, like.producer_version
    del made.metadata_props[:]
    made.metadata_props.extend(like.metadata_props)
    del made.graph.value_info[:]  # what was inferred on the way; every engine infers it again
