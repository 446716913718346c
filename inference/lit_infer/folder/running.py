"""The story of a run: take the images as they are found, predict, pass the rows on."""

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path

from msgspec.structs import replace

from lit_infer import progress
from lit_infer.batching.sizes import check_images, is_joined
from lit_infer.errors import NotFoundError
from lit_infer.folder import image_rows, loading, nearest, remarks, shards
from lit_infer.folder.job import DEFAULT_TOP_K, Job, identity
from lit_infer.folder.loading import LoadedItem
from lit_infer.folder.outputs import opened
from lit_infer.folder.partial import Entry
from lit_infer.folder.rows.answered import AnsweredBlock
from lit_infer.folder.rows.running import run_rows
from lit_infer.folder.shards import Share
from lit_infer.folder.sources import FileSource, Inputs, Item
from lit_infer.folder.table import Table
from lit_infer.folder.tally import Summary, Tally
from lit_infer.images import suffixes
from lit_infer.predictions import Prediction
from lit_infer.predictor import Predictor, PredictorInput
from lit_infer.tasks import Ask, Row


def run(
    predictor: Predictor,
    paths: Sequence[Path],
    *,
    top_k: int | None = None,
    batch_size: int | None = None,
    output: Path | None = None,
) -> Summary:
    """Predict these files, in order. The output file appears under its name when every row is in it."""
    return run_job(predictor, Inputs([FileSource(path) for path in paths]), Job(top_k, batch_size, output=output))


def _nothing(*_: object) -> None:
    """Nobody wants to see single rows."""


def run_job(
    predictor: Predictor,
    inputs: Inputs,
    job: Job,
    *,
    each: Callable[[Row], object] = _nothing,
    each_block: Callable[[AnsweredBlock, Table, Ask], object] | None = None,
) -> Summary:
    """Predict each image, or row, of the inputs, in order; `each` is called with each row as soon as it is ready.

    For a model that takes rows, `each_block` may be called with whole blocks instead.

    Every output appears under its name when it is complete. A run that ends early keeps its results, and the
    same job with `resume` continues from there. A job with a `shard` predicts its share, which may be no image. Raises
    GateError if too many images failed, and NotFoundError if the inputs name no image at all: then nothing is touched.
    """
    if not predictor.manifest.spec.takes_images:
        return run_rows(predictor, inputs, job, each=each_block or partial(_each_row, each))
    started = time.perf_counter()
    several = predictor.manifest.image_names
    if several:
        inputs = image_rows.of_rows(inputs, several, job.columns, model=predictor.manifest.name)
    else:
        inputs = inputs.of(suffixes(predictor.manifest.preprocess))
    check_images(predictor.manifest, job.batch_size or predictor.batch_size)
    if is_joined(predictor.manifest):
        progress.note("one image per run: an answer of this model depends on the other images of its batch")
    table = Table.of(
        predictor.manifest,
        timings=job.timings,
        have_times=inputs.have_times,
        has_nearest=job.nearest is not None,
    )
    table = dataclasses.replace(table, has_runs=job.wants_runs)
    tally, items = Tally(table), _items(inputs, job, size=job.batch_size or predictor.batch_size)
    top_k = job.top_k or DEFAULT_TOP_K
    with (
        opened(job, inputs, predictor, table) as outputs,
        nearest.opened(job.nearest, predictor, job.limits) as gallery,
    ):
        for item, line, notes in outputs.resumed(items):
            tally.add(line, truth=item.truth, notes=notes)
            each(line)
        tally.resumed = tally.count
        found = _predictions(predictor, items, job, is_resumed=tally.count > 0)
        for loaded, prediction, near in nearest.beside(found, gallery, top_k):
            made = time.perf_counter()
            line = table.row(prediction, seconds=loaded.item.seconds, nearest=near, images=loaded.item.images)
            outputs.add(Entry(tally.count, line, prediction, loaded))
            tally.add(line, truth=loaded.item.truth, notes=prediction.notes)
            tally.add_time(prediction.timings, read_ms=loaded.read_ms, write=time.perf_counter() - made)
            each(line)
            if job.max_errors is not None:
                job.max_errors.check(failed=tally.failed, count=tally.count)
        skipped = inputs.skipped()

        def record(rows: Path) -> None:
            if isinstance(items, Share):
                facts = identity(job, inputs, predictor)
                shards.write_record(rows, job, items, tally, facts=facts, batch=facts["--batch-size"])

        said = [tally.verdict(), *remarks.lines(skipped, tally.notes)]
        outputs.finish(remarks=list(filter(None, said)), before_rows=record)
    return tally.summary(seconds=time.perf_counter() - started, skipped=skipped)


def _each_row(each: Callable[[Row], object], block: AnsweredBlock, table: Table, ask: Ask) -> None:
    if each is not _nothing:
        for row in block.rows(table, ask):
            each(row)


def _items(inputs: Inputs, job: Job, *, size: int) -> Iterator[Item]:
    """The job's share of the items. Raises NotFoundError if the inputs have none."""
    items = iter(inputs)
    first = next(items, None)
    if first is None:
        raise NotFoundError(f"nothing to predict: there are no images in {inputs.named()}")
    every = chain([first], items)
    return every if job.shard is None else Share(every, job.shard, batch=size)


def _predictions(
    predictor: Predictor, items: Iterator[Item], job: Job, *, is_resumed: bool
) -> Iterator[tuple[LoadedItem, Prediction]]:
    """Each item, once read, with its prediction. An item that could not be read still fills its row of a batch.

    A run of at most one batch is answered in the least time, on all threads together; but not the rest of a resumed
    run, whose first rows came from streaming, nor a share of a longer run.
    """
    waiting: deque[LoadedItem] = deque()
    size = job.batch_size or predictor.batch_size
    source = loading.load(items, max_bytes=job.limits.max_bytes)
    first = deque(islice(source, size + 1))
    is_short = len(first) <= size and (not isinstance(items, Share) or items.images <= size)

    def images() -> Iterator[PredictorInput]:
        while loaded := first.popleft() if first else next(source, None):
            waiting.append(loaded)
            yield loaded.several or loaded.image

    answer = predictor.predict if is_short and not is_resumed else predictor.stream
    found = answer(
        images(),
        top_k=job.top_k or DEFAULT_TOP_K,
        threshold=job.threshold,
        batch_size=size,
        timings=True,
        output=job.embeddings is not None,
        limits=job.limits,
    )
    for prediction in found:
        loaded = waiting.popleft()
        name, error = loaded.item.name, loaded.error
        if error is None:
            yield loaded, replace(prediction, path=name)
        else:
            yield loaded, Prediction(name, error=str(error), code=error.code)
