"""The story of a run over rows: take them block by block, predict, pass their rows on."""

import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from lit_infer import progress
from lit_infer.batching.sizes import is_joined
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import remarks, shards, writers
from lit_infer.folder.job import DEFAULT_TOP_K, ErrorLimit, Job, identity
from lit_infer.folder.rows import outputs
from lit_infer.folder.rows.answered import AnsweredBlock
from lit_infer.folder.rows.found import FoundBlock, RowInputs
from lit_infer.folder.rows.peeking import Peeking
from lit_infer.folder.sources import Inputs
from lit_infer.folder.table import Table
from lit_infer.folder.tally import Summary, Tally
from lit_infer.predictor import Predictor
from lit_infer.rows.answering import AnsweredRows, row_recipe
from lit_infer.rows.files import Wanted
from lit_infer.tasks import Ask


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


def run_rows(
    predictor: Predictor, inputs: Inputs, job: Job, *, each: Callable[[AnsweredBlock, Table, Ask], object]
) -> Summary:
    """As `run_job`, for a model that takes rows; `each` is called with each block."""
    started = time.perf_counter()
    found = row_inputs(predictor, inputs, job)
    if is_joined(predictor.manifest):
        progress.note("each file is one batch: an answer of this model depends on the other rows of its batch")
    is_array = job.output is not None and job.output.suffix in writers.ARRAYS
    table = Table.of(predictor.manifest, timings=job.timings, kept=job.keep, has_answers=not is_array)
    tally, blocks = Tally(table), Peeking(found.blocks(predictor.rows_per_block(job.batch_size)))
    ask = Ask(job.top_k or DEFAULT_TOP_K, True, threshold=job.threshold, output=job.embeddings is not None)
    outputs.check_not_read(job, found.of_rows)
    if blocks.peek() is None and not found.covered.images:
        raise NotFoundError(f"nothing to predict: there are no rows in {inputs.named()}")
    with outputs.opened(job, inputs, predictor, table, ask) as made:
        for done in made.resumed(blocks):
            tally.add_block(done, ask)
            each(done, table, ask)
        tally.resumed = tally.count
        for rows, answered in _answers(predictor, blocks, ask, job, is_resumed=tally.count > 0):
            began, before = time.perf_counter(), (tally.count, tally.failed)
            block = AnsweredBlock.of(rows, answered)
            made.add(block, answered.vectors)
            tally.add_block(block, ask)
            tally.add_block_time(block, write=time.perf_counter() - began)
            each(block, table, ask)
            if job.max_errors is not None:
                _check_errors(job.max_errors, block, *before)
        skipped = found.skipped()

        def record(rows: Path) -> None:
            if job.shard is not None:
                facts = identity(job, inputs, predictor)
                shards.write_record(rows, job, found.covered, tally, facts=facts, batch=1)

        began = time.perf_counter()
        made.finish(
            summary=[*tally.lines(), *remarks.lines(skipped, tally.notes, of_rows=True)],
            before_rows=record,
        )
        tally.add_writing(time.perf_counter() - began)
    return tally.summary(seconds=time.perf_counter() - started, skipped=skipped)


def _check_errors(limit: ErrorLimit, block: AnsweredBlock, count: int, failed: int) -> None:
    """Raise GateError if too many rows have failed at any row of the block; so many came before it."""
    for row in sorted({*block.errors, *range(99 - count, min(100 - count, block.count))}):
        if row >= 0:
            limit.check(failed=failed + sum(one <= row for one in block.errors), count=count + row + 1, nouns="rows")


def _answers(
    predictor: Predictor, blocks: Peeking[FoundBlock], ask: Ask, job: Job, *, is_resumed: bool
) -> Iterator[tuple[FoundBlock, AnsweredRows]]:
    """Each block with its answers. A run of one block is answered in the least time, on all threads together; but
    not the rest of a resumed run, whose first rows came from streaming.
    """
    waiting: list[FoundBlock] = [block] if (block := next(blocks, None)) is not None else []
    is_short = blocks.peek() is None and not is_resumed
    yield from predictor.stream_rows(chain(waiting, blocks), ask=ask, batch_size=job.batch_size, alone=is_short)
