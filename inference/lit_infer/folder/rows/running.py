"""The story of a run over rows: take them block by block, predict, pass their rows on."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec.structs import replace

from lit_infer import progress
from lit_infer.batching.sizes import is_joined
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import remarks, shards
from lit_infer.folder.job import DEFAULT_TOP_K, Job, identity
from lit_infer.folder.loading import LoadedItem
from lit_infer.folder.outputs import opened
from lit_infer.folder.partial import Entry
from lit_infer.folder.rows import array_output
from lit_infer.folder.rows.found import FoundBlock, RowInputs
from lit_infer.folder.rows.peeking import Peeking
from lit_infer.folder.sources import Inputs
from lit_infer.folder.table import Table
from lit_infer.folder.tally import Summary, Tally
from lit_infer.predictions import Prediction
from lit_infer.predictor import Predictor
from lit_infer.rows.answering import row_recipe
from lit_infer.rows.files import Wanted
from lit_infer.tasks import Ask, Row


def row_inputs(predictor: Predictor, inputs: Inputs, job: Job) -> RowInputs:
    """The arguments as files of rows. Raises UsageError for a model that has none."""
    recipe = row_recipe(predictor.manifest, predictor.folder)
    wanted = Wanted(recipe.fields, job.columns, job.keep)
    wanted.check_columns()
    if job.shard is not None and recipe.is_joined:
        name = predictor.manifest.name
        raise UsageError(f"--shard takes single rows, and {name} answers each file whole: name some of the files")

    part = (0, 1) if job.shard is None else (job.shard.number, job.shard.count)
    return RowInputs(inputs, wanted, part, whole_files=recipe.is_joined)


def run_rows(predictor: Predictor, inputs: Inputs, job: Job, *, each: Callable[[Row], object]) -> Summary:
    """As `run_job`, for a model that takes rows."""
    started = time.perf_counter()
    found = row_inputs(predictor, inputs, job)
    if is_joined(predictor.manifest):
        progress.note("each file is one batch: an answer of this model depends on the other rows of its batch")
    is_array = job.output is not None and job.output.suffix in array_output.SUFFIXES
    table = Table.of(predictor.manifest, timings=job.timings, kept=job.keep, has_answers=not is_array)
    tally, blocks = Tally(table), Peeking(found.blocks(predictor.rows_per_block(job.batch_size)))
    if blocks.peek() is None and not found.covered.images:
        raise NotFoundError(f"nothing to predict: there are no rows in {inputs.named()}")
    with opened(job, inputs, predictor, table) as outputs:
        for _, line, notes in outputs.resumed_blocks(blocks):
            tally.add(line, notes=notes)
            each(line)
        tally.resumed = tally.count
        for block, predictions in _predictions(predictor, blocks, job, is_resumed=tally.count > 0):
            kept = list(block.rows.kept.values()) if job.keep and block.rows.kept else []
            for index, (item, one) in enumerate(zip(block.items(), predictions, strict=True)):
                made = time.perf_counter()
                prediction = replace(one, path=item.name)
                values = [column[index] for column in kept]
                line = table.row(prediction, number=item.number, kept=values)
                loaded = LoadedItem(item, b"", stamp=item.stamped or bytes(8))
                outputs.add(Entry(tally.count, line, prediction, loaded))
                tally.add(line)
                tally.add_time(prediction.timings, read_ms=0.0, write=time.perf_counter() - made)
                each(line)
                if job.max_errors is not None:
                    job.max_errors.check(failed=tally.failed, count=tally.count, nouns="rows")
        skipped = found.skipped()

        def record(rows: Path) -> None:
            if job.shard is not None:
                facts = identity(job, inputs, predictor)
                shards.write_record(rows, job, found.covered, tally, facts=facts, batch=1)

        outputs.finish(remarks=remarks.lines(skipped, tally.notes), before_rows=record)
    return tally.summary(seconds=time.perf_counter() - started, skipped=skipped)


def _predictions(
    predictor: Predictor, blocks: Peeking[FoundBlock], job: Job, *, is_resumed: bool
) -> Iterator[tuple[FoundBlock, list[Prediction]]]:
    """Each block with its predictions. A run of one block is answered in the least time, on all threads together; but
    not the rest of a resumed run, whose first rows came from streaming.
    """
    waiting: list[FoundBlock] = [block] if (block := next(blocks, None)) is not None else []
    is_short = blocks.peek() is None and not is_resumed

    def rows() -> Iterator[FoundBlock]:
        yield from waiting
        yield from blocks

    ask = Ask(
        top_k=job.top_k or DEFAULT_TOP_K,
        timings=True,
        threshold=job.threshold,
        output=job.embeddings is not None,
    )
    yield from predictor.stream_rows(rows(), ask=ask, batch_size=job.batch_size, alone=is_short)
