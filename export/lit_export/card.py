"""`report.md`: what the bundle is, for those who decide whether to use it. A model card, from the manifest alone.

The front matter is that of Hugging Face's model cards, so that a bundle can be uploaded there as it is.
"""

import json
import re
from collections.abc import Iterable, Sequence

from lit_export.card_proof import proof_section
from lit_export.markdown import literal, table
from lit_infer.manifest import DataScore, Graph, Manifest, Parity, Proof, RowFields, Tensor
from lit_infer.proof_words import MADE_OF, pixels_compared, rows_compared
from lit_infer.rows.answering import has_rows, rows_file

FILE_NAME = "report.md"

_BETTER = {"max": "higher", "min": "lower"}


def card(manifest: Manifest) -> str:
    """The model card of a bundle as Markdown. The same manifest gives the same text."""
    sections = (
        _front_matter(manifest),
        _summary(manifest),
        _source(manifest),
        _interface(manifest),
        _graphs(manifest),
        *proof_section(manifest),
        _usage(manifest),
        _limits(manifest),
        _made_with(manifest),
    )
    return "\n\n".join(sections) + "\n"


def _front_matter(manifest: Manifest) -> str:
    """YAML; each value is written as JSON, which is YAML that needs no further quoting."""
    fields: dict[str, object] = {"library_name": "lit-deploy"}
    if manifest.license is not None:
        identifier = manifest.license.lower()
        is_identifier = re.fullmatch(r"[a-z0-9.+-]+", identifier) is not None
        fields |= {"license": identifier} if is_identifier else {"license": "other", "license_name": manifest.license}
    if manifest.spec.pipeline_tag is not None:
        fields["pipeline_tag"] = manifest.spec.pipeline_tag
    fields["tags"] = ["lit-deploy", *dict.fromkeys(graph.format for graph in manifest.ok_graphs())]
    if metrics := sorted({graph.score.metric for graph in manifest.graphs if graph.score}):
        fields["metrics"] = metrics
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in fields.items()), "---"])


def _summary(manifest: Manifest) -> str:
    classes = f" It knows {_count(len(manifest.labels), *manifest.spec.nouns)}." if manifest.labels else ""
    proven = len(manifest.ok_graphs())
    graphs = "1 graph, whose answers were" if proven == 1 else f"{proven} graphs, whose answers were"
    return (
        f"# {literal(manifest.name)}\n\n"
        f"This model {manifest.spec.does}.{classes} The bundle holds {graphs} compared with those of the "
        "PyTorch module that it was exported from."
    )


def _source(manifest: Manifest) -> str:
    source = manifest.source
    score = source.score
    rows = [
        ("Licence", manifest.license or "not stated: ask whoever trained it before you use it"),
        (
            "Score",
            f"{score.monitor} {score.value:.6g}, as recorded in training ({_BETTER[score.mode]} is better)"
            if score
            else None,
        ),
        ("Checkpoint", source.reference),
        ("Checkpoint sha256", source.digest),
        ("Run", source.run),
        ("Git commit", source.git_commit),
        ("Class", source.class_path),
        ("Part", source.submodule),
        ("Weights", "moving average (EMA)" if source.weights == "ema" else None),
    ]
    return "## Where it comes from\n\n" + table(("", ""), [row for row in rows if row[1]])


def _interface(manifest: Manifest) -> str:
    rows = [("input", *_tensor(tensor)) for tensor in manifest.inputs]
    rows += [("output", *_tensor(tensor)) for tensor in manifest.outputs]
    parts = ["## What goes in and comes out", table(("", "name", "type", "shape"), rows)]
    if manifest.spec.takes_images:
        parts.append(_preprocessing(manifest))
    if manifest.fields is not None:
        parts.append(_columns(manifest.fields, manifest.proof))
    if manifest.labels:
        parts.append(_labels(manifest.labels, manifest.spec.nouns[1]))
    if manifest.taken:
        which = ", ".join(f"{role} {one}" for role, one in manifest.taken.items())
        parts.append(f"Of the module's outputs were taken: {literal(which)}")
    if manifest.answers:
        facts = ", ".join(f"{name} {_listed(value)}" for name, value in manifest.answers.items())
        parts.append(f"How answers are read: {literal(facts)}")
    return "\n\n".join(parts)


def _columns(fields: RowFields, proof: Proof | None) -> str:
    """The columns of a table, and what becomes of each."""
    compared = rows_compared(proof)
    said = literal(f"{compared[0].upper()}{compared[1:]}.")
    if fields.text is not None:
        names = " and ".join(name for name in (fields.text.column, fields.text.pair) if name)
        return f"{literal(names)}: {literal(fields.text.describe())}.\n\n{said}"
    if fields.audio is not None:
        return f"{literal(fields.audio.input)}: {literal(fields.audio.describe())}.\n\n{said}"
    of = {name: called for called, names in fields.layout.items() for name in names}
    rows = [(literal(column.name), literal(column.kind.describe()), of[column.name]) for column in fields.columns]
    return "\n\n".join(["A row of the table has", table(("column", "as", "in"), rows), said])


def _preprocessing(manifest: Manifest) -> str:
    steps = [step.value.describe() for step in manifest.preprocess] or ["none: the image is taken unchanged"]
    lines = [f"{number}. {step}" for number, step in enumerate(steps, start=1)]
    inside = "values as they are" if manifest.scale and manifest.scale.by == 1 else "scaling to 0..1"
    if manifest.normalize is not None:
        mean, std = (
            ", ".join(f"{value:g}" for value in values) for values in (manifest.normalize.mean, manifest.normalize.std)
        )
        inside += f", normalization (mean {mean}; std {std})"
    compared = pixels_compared(manifest.proof)
    which = f"each of {', '.join(manifest.image_names)}" if manifest.image_names else "the image"
    on = which if manifest.tiles is None else f"each tile of {which}"
    return "\n".join(
        [
            *_tiles(manifest),
            f"Before the graph, on {on} as it is read:",
            "",
            *lines,
            "",
            f"Inside the graph: {inside}.",
            "",
            f"{compared[0].upper()}{compared[1:]}.",
        ]
    )


def _tiles(manifest: Manifest) -> list[str]:
    """How images are cut; what was measured was not cut."""
    if manifest.tiles is None:
        return []
    merge = manifest.spec.check_tiles(manifest.tiles, manifest.reading)
    words = f"Images are cut into tiles of {manifest.tiles.describe()}; their answers are merged ({merge})."
    return [f"{words} Comparisons with the module, and scores on data, are of whole images.", ""]


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _labels(labels: Sequence[str], noun: str) -> str:
    shown = ", ".join(literal(label) for label in labels[:10])
    more = f", … ({len(labels):,} in all, in manifest.json)" if len(labels) > 10 else ""
    return f"{noun.capitalize()} in order: {shown}{more}"


def _graphs(manifest: Manifest) -> str:
    law = manifest.spec.agreement
    agreement = law.name if law else ""
    head = ("graph", "precision", "file", "size", "max diff", agreement, "score on data", "ms/input")
    parts = ["## Graphs", table(head, [_graph(graph) for graph in manifest.ok_graphs()])]
    notes = [*_parity_notes(manifest.ok_graphs()), *_other_notes(manifest.graphs)]
    return "\n\n".join([*parts, *(["\n".join(f"- {note}" for note in notes)] if notes else [])])


def _graph(graph: Graph) -> tuple[str, ...]:
    parity, score, latency = graph.parity, graph.score, graph.latency
    opset = f" (opset {graph.opset})" if graph.opset else ""
    agreement = "" if parity is None or parity.agreement is None else f"{parity.agreement:.1%}"
    return (
        f"{graph.format}{opset}",
        graph.precision,
        ", ".join(filter(None, (graph.file, *graph.companions))),
        f"{(graph.bytes or 0) / 1e6:.2f} MB",
        f"{parity.max_abs:.1e}" if parity else "",
        agreement,
        _score(score) if score else "",
        f"{latency.ms:.2f}" if latency else "",
    )


def _score(score: DataScore) -> str:
    also = "".join(f", {name} {value:.4f}" for name, value in score.also.items())
    return f"{score.metric} {score.value:.4f} (module: {score.eager:.4f}, {score.images:,} labelled){also}"


def _parity_notes(graphs: Iterable[Graph]) -> list[str]:
    """How the differences were measured, said once for all graphs that were measured alike."""
    described: dict[str, list[str]] = {}
    for graph in graphs:
        if graph.parity is not None:
            described.setdefault(_parity(graph.parity), []).append(graph.label)
    return [f"{', '.join(labels)}: {text}" for text, labels in described.items()]


def _parity(parity: Parity) -> str:
    batches = ", ".join(map(str, dict.fromkeys(parity.batches)))
    return (
        f"max diff is the largest difference from the module's answers, on {MADE_OF[parity.inputs]} in batches of "
        f"{batches}; allowed were {parity.atol:g} of the largest answer + {parity.rtol:g} of each"
    )


def _other_notes(graphs: Iterable[Graph]) -> list[str]:
    notes = []
    for graph in graphs:
        if graph.latency is not None:
            at = graph.latency
            notes.append(
                f"{graph.label}: {at.ms:.2f} ms per input in batches of {at.batch_size}, "
                f"on {at.threads} threads of {at.cpu}"
            )
        if graph.quantization is not None:
            kept = f"; left in float: {', '.join(graph.quantization.kept)}" if graph.quantization.kept else ""
            count = graph.quantization.calibration_images
            how = (
                f"calibrated on {count:,} images"
                if count
                else "int8 weights, inputs scaled by batch: answers vary with it"
            )
            notes.append(f"{graph.label}: {how}{kept}")
        if graph.status == "failed":
            notes.append(f"{graph.label} was tried and is not here: {graph.reason}")
    return [literal(note) for note in notes]


def _usage(manifest: Manifest) -> str:
    if not manifest.spec.takes_images and has_rows(manifest):
        predict = f"lit-infer {rows_file(manifest)} --model ."
    elif not manifest.spec.takes_images:
        arrays = ", ".join(f'"{tensor.name}": …' for tensor in manifest.inputs)
        predict = f"python -c 'from lit_infer import load; load(\".\").run({{{arrays}}})'"
    elif manifest.image_names:
        predict = "lit-infer pairs.csv --model ."
    else:
        predict = "lit-infer images/ --model ."
    return "\n".join(
        [
            "## Use",
            "",
            "In this folder:",
            "",
            '    pip install "lit-deploy[cpu]"',
            f"    {predict}",
            "    lit-infer --self-test .",
            "",
            "The last line checks that every graph answers on your machine as the module did at export. If the folder "
            "holds a model.sig, it is signed: the signer's public key shows whether it is unchanged.",
        ]
    )


def _limits(manifest: Manifest) -> str:
    limits = [
        "It was compared with the module that it came from. Only a score on data can say how good that module is."
    ]
    if manifest.source.score is None and not any(graph.score for graph in manifest.graphs):
        limits.append("No score on data is recorded.")
    limits += manifest.spec.cautions
    if manifest.spec.takes_images:
        limits.append("Images prepared differently from the steps above give different answers.")
    if any(graph.precision != "fp32" for graph in manifest.ok_graphs()):
        limits.append(
            "Graphs of reduced precision answer slightly differently from float32; the table says by how much."
        )
    return "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits)


def _made_with(manifest: Manifest) -> str:
    made = manifest.made_with
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    date = f" on {made.date}" if made.date else ""
    return f"## Made with\n\n`{made.command.replace('`', chr(39))}`{date}\n\n{literal(versions)}"


def _tensor(tensor: Tensor) -> tuple[str, str, str]:
    return tensor.name, tensor.dtype, " x ".join(map(str, tensor.shape)) or "scalar"
