"""The story of `lit-export`: checkpoint -> module -> target -> graphs -> verified bundle -> published."""

import platform
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec.structs import replace

from lit_export import bundle_folder, chosen, spec
from lit_export.bundle_folder import Bundle, Key
from lit_export.formats import FORMATS, STANDARD, writing_packages
from lit_export.front.loaded import Exportable, LoadedModule, load
from lit_export.front.module import require_input
from lit_export.front.tokenizer import tokenizer_file
from lit_export.front.transform import TrainingTransform
from lit_export.front.transform import find as find_transform
from lit_export.graph_builder import GraphBuilder
from lit_export.inputs import real, recorded_inputs
from lit_export.judge import judge_for, tuned
from lit_export.loaded_state import LoadedState
from lit_export.options import Options
from lit_export.proof import coverage, pixels, prepared, rows, samples, stored_pixels, varied, whole_numbers
from lit_export.proof.branches import Branches
from lit_export.proof.exercised import exercised
from lit_export.proof.pictures import with_pictures
from lit_export.proof.record import proof_of
from lit_export.proof.repeatable import check_first_call, check_repeatable
from lit_export.tasks import TASKS, Target, doubts
from lit_export.user_code import tracing_errors, user_code
from lit_infer import engines, files, manifest, progress
from lit_infer import tasks as runtime_tasks
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts, MadeWith, Manifest, PixelProof
from lit_infer.pixel_test import PIXEL_PACKAGES

# Pillow, simplejpeg, OpenCV and torchvision too: another release may resize or decode to other pixels.
_TRAINING = ("torch", "torchvision", "lightning")
_PACKAGES = (*_TRAINING, *writing_packages(), *engines.packages(), *PIXEL_PACKAGES, "lit-deploy")

_ATTEMPTS = 6
"""To take both sides of a conditional that depends on data."""


def export(
    source: Exportable | None,
    formats: Sequence[manifest.FormatName] = (STANDARD,),
    *,
    out: Path | None = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> Bundle:
    """Export a module into a bundle whose graphs are proven right.

    `source`: a reference, a checkpoint's path or URL, a module in memory, or None for what `options.factory` makes.
    Every graph is written to a scratch folder and compared there, through the runtime's own predictor, with the eager
    module; only what passes gets its final name. The bundle goes to `out`, else below `artifacts/bundles/`; graphs
    that it already holds of the same checkpoint stay. A listener (`lit_infer.progress`) hears what is being done.
    Raises LitError where nothing could be tried; a graph that was tried and failed is in `Bundle.failed`.
    """
    with tracing_errors(options.debug):
        return _export(source, formats, out=out, options=options)


def _export(
    source: Exportable | None, formats: Sequence[manifest.FormatName], *, out: Path | None, options: Options
) -> Bundle:
    wanted = _wanted(formats, options)
    progress.note("load the checkpoint")
    loaded = load(source, options)
    state = LoadedState.of(loaded.module)
    facts = spec.facts_for(loaded, options)
    transform = _training_transform(facts, options)
    target = _target(loaded, spec.with_transform(facts, transform), options)
    target = tuned(target, options)
    described = _describe(loaded, target, options)
    folder = out or bundle_folder.default_folder(described)
    with files.staging_folder(folder.absolute().parent) as scratch, files.staging_folder(scratch) as staged:
        options = with_pictures(options, target, scratch)
        pixel_proof = _pixels(target, transform, options, scratch)
        row_proof = prepared.proven(target, options)
        progress.note("ask the eager module for the answers")
        expected, branches = _asked(target, options, scratch, state)
        if not target.takes_images:  # whose answers have sides of one length
            target = varied.with_sides_seen(target, [one.answers for one in expected])
            target = whole_numbers.with_ranges(target, expected)
        proof = replace(proof_of(target, expected, branches, options), pixels=pixel_proof, prepared=row_proof)
        described = replace(
            described, inputs=target.inputs, outputs=target.outputs, rows=rows.rows(target, expected), proof=proof
        )
        bundle_folder.graphs_that_stay(folder, described, wanted)  # refused now rather than in the end
        judge = judge_for(target, options)
        builder = GraphBuilder(target, described, options, scratch, expected, judge, branches, state)
        graphs = [builder.graph(name, precision) for name, precision in wanted]
        builder.deliver(graphs, staged)
        bundle_folder.write_golden(staged, samples.golden(target, expected))
        if target.takes_images:
            bundle_folder.write_pixels(staged, stored_pixels.stored(target.facts, scratch))
        if (tokenizer := tokenizer_file(options)) is not None:
            shutil.copyfile(tokenizer, staged / manifest.TOKENIZER)
        return bundle_folder.finish(folder, described, graphs, staged=[staged], options=options)


def _wanted(formats: Sequence[manifest.FormatName], options: Options) -> list[Key]:
    """Every format in every precision, each checked before any work is done."""
    if not formats or not options.precisions:
        raise UsageError("name at least one format and one precision")
    for name in formats:
        for precision in options.precisions:
            FORMATS[name].check(precision)
    return [(name, precision) for name in dict.fromkeys(formats) for precision in dict.fromkeys(options.precisions)]


def _training_transform(facts: DeploymentFacts, options: Options) -> TrainingTransform | None:
    """Training's own transform, where one is named and the task is about images."""
    takes_images = runtime_tasks.TASKS[facts.task].takes_images
    pixels.check_options(options, takes_images=takes_images, task=facts.task)
    prepared.check_options(options, facts=facts)
    return find_transform(options) if takes_images else None


def _target(loaded: LoadedModule, facts: DeploymentFacts, options: Options) -> Target:
    """The module ready for an exporter, with all that should be known of how it was taken."""
    module, task = loaded.module, TASKS[facts.task]
    facts = chosen.stated(facts, task.roles, options.outputs)
    require_input(module)
    make: Callable[..., Target] = task.target
    if task.target_on is None:
        real.refuse(options, facts.task)
    else:
        options = recorded_inputs.with_recorded(options, module, loaded.record)
        calls = real.real_inputs(loaded.whole, module, options)
        make = partial(task.target_on, real=calls)
    with user_code(f"{type(module).__qualname__}.forward"):  # what else it raises, when it is first called
        target = make(module, facts, options)
    if target.facts.outputs:
        progress.note(f"outputs taken: --outputs {chosen.line(target.facts.outputs)}")
    for warning in (*target.warnings, *doubts(module, facts.task)):
        progress.note(f"warning: {warning}")
    return target


def _pixels(target: Target, transform: TrainingTransform | None, options: Options, scratch: Path) -> PixelProof | None:
    """What the pixels were compared with."""
    if not target.takes_images:
        return None
    if transform is None:
        pixels.unproven()
        return None
    progress.note("compare the pixels with training's")
    return pixels.proven(target, transform, options, scratch)


def _asked(
    target: Target, options: Options, scratch: Path, state: LoadedState
) -> tuple[list[samples.Sample], Branches]:
    """The eager module's answers, and what of its source they exercised."""
    with coverage.recording() as seen:
        expected = samples.samples(target, images=options.images, scratch=scratch)
    if (check := TASKS[target.facts.task].check_answers) is not None:
        check(target, [one.answers for one in expected])
    check_repeatable(target, expected)
    check_first_call(target, expected, state)
    branches = Branches(target, expected, exercised(seen))
    for attempt in range(_ATTEMPTS):
        if target.takes_images or not branches.frozen:
            break
        with coverage.recording(seen):
            expected = [*expected, *samples.more(target, attempt)]
        branches = Branches(target, expected, exercised(seen))
    if not options.accept_unexercised:
        varied.check_outputs(target, [one.answers for one in expected], unexercised=branches.unreached())
    return expected, branches


def _describe(loaded: LoadedModule, target: Target, options: Options) -> Manifest:
    """The manifest before any graph: what all of them embed."""
    facts, record = target.facts, loaded.record
    return Manifest(
        name=options.name or loaded.name,
        task=facts.task,
        source=manifest.Source(
            digest=loaded.digest,
            class_path=loaded.class_path,
            submodule=options.submodule,
            call=target.call,
            adapter=options.adapter,
            reference=str(loaded.reference) if loaded.reference else None,
            run=record.run if record else None,
            git_commit=record.git_commit if record else None,
            weights=loaded.weights,
            score=loaded.score,
        ),
        inputs=target.inputs,
        preprocess=facts.preprocess,
        scale=facts.scale,
        normalize=facts.normalize,
        outputs=target.outputs,
        labels=facts.labels,
        answers=facts.answers,
        taken=facts.outputs,
        license=options.license or facts.license,
        fields=facts.fields,
        tiles=facts.tiles,
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
