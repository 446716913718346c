"""The story of `lit-export`: checkpoint -> module -> target -> graphs -> verified bundle -> published."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from torch import nn

from lit_export import bundle_folder, spec
from lit_export.bundle_folder import Bundle, Key
from lit_export.formats import FORMATS, STANDARD, writing_packages
from lit_export.graph_builder import GraphBuilder
from lit_export.judge import judge_for, tuned
from lit_export.loaded import Exportable, LoadedModule, load
from lit_export.module import require_input
from lit_export.options import Options
from lit_export.proof import parity, samples
from lit_export.tasks import TASKS, Target, doubts
from lit_infer import engines, files, manifest, progress
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts, MadeWith, Manifest

# Pillow, simplejpeg and torchvision too: another release may resize or decode to other pixels.
_TRAINING = ("torch", "torchvision", "lightning")
_PACKAGES = (*_TRAINING, *writing_packages(), *engines.packages(), "pillow", "simplejpeg", "lit-deploy")


def export(
    source: Exportable,
    formats: Sequence[manifest.FormatName] = (STANDARD,),
    *,
    out: Path | None = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> Bundle:
    """Export a module into a bundle whose graphs are proven right.

    `source`: a reference, a checkpoint's path or URL, or a module in memory. Every graph is written to a scratch
    folder and compared there, through the runtime's own predictor, with the eager module; only what passes gets its
    final name. The bundle goes to `out`, else below `artifacts/bundles/`; graphs that it already holds of the same
    checkpoint stay. A listener (`lit_infer.progress`) hears what is being done. Raises LitError where nothing could be
    tried; a graph that was tried and failed is in `Bundle.failed`.
    """
    wanted = _wanted(formats, options)
    progress.note("load the checkpoint")
    loaded = load(source, options)
    target = _target(loaded.module, spec.facts_for(loaded, options), options)
    target = tuned(target, options)
    described = _describe(loaded, target, options)
    folder = out or bundle_folder.default_folder(described)
    bundle_folder.graphs_that_stay(folder, described, wanted)  # refused now rather than in the end

    with files.staging_folder(folder.absolute().parent) as scratch, files.staging_folder(scratch) as staged:
        progress.note("ask the eager module for the answers")
        expected = samples.samples(target, images=options.images, scratch=scratch)
        if parity.is_constant(expected):
            progress.note(
                "warning: the module gives every input the same answer. Is it trained? Comparing it shows little"
            )
        builder = GraphBuilder(target, described, options, scratch, expected, judge_for(target, options))
        graphs = [builder.graph(name, precision) for name, precision in wanted]
        builder.deliver(graphs, staged)
        bundle_folder.write_golden(staged, samples.golden(target, expected))
        return bundle_folder.finish(folder, described, graphs, staged=[staged], options=options)


def _wanted(formats: Sequence[manifest.FormatName], options: Options) -> list[Key]:
    """Every format in every precision, each checked before any work is done."""
    if not formats or not options.precisions:
        raise UsageError("name at least one format and one precision")
    for name in formats:
        for precision in options.precisions:
            FORMATS[name].check(precision)
    return [(name, precision) for name in dict.fromkeys(formats) for precision in dict.fromkeys(options.precisions)]


def _target(module: nn.Module, facts: DeploymentFacts, options: Options) -> Target:
    """The module ready for an exporter, with all that should be known of how it was taken."""
    require_input(module)
    target = TASKS[facts.task].target(module, facts, options)
    for warning in (*target.warnings, *doubts(module, facts.task)):
        progress.note(f"warning: {warning}")
    return target


def _describe(loaded: LoadedModule, target: Target, options: Options) -> Manifest:
    """The manifest before any graph: what all of them embed."""
    facts, record = target.facts, loaded.record
    return Manifest(
        name=loaded.name,
        task=facts.task,
        source=manifest.Source(
            digest=loaded.digest,
            class_path=loaded.class_path,
            submodule=options.submodule,
            reference=str(loaded.reference) if loaded.reference else None,
            run=record.run if record else None,
            git_commit=record.git_commit if record else None,
            weights=loaded.weights,
            score=loaded.score,
        ),
        inputs=target.inputs,
        preprocess=facts.preprocess,
        normalize=facts.normalize,
        outputs=target.outputs,
        labels=facts.labels,
        answers=facts.answers,
        license=options.license or facts.license,
        made_with=MadeWith(
            versions={"python": platform.python_version(), **_versions()},
            command=options.command,
        ),
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
