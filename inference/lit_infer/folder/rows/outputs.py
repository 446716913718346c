"""The outputs of a run over rows: `blocks.bin` grows, block by block, and becomes the files at the end.

    blocks.bin   the answered blocks so far, each with a checksum: what every output is made of
    array-N.bin  an output of the graph, for `-o out.npz`
    vectors.npy  for `--embeddings`

A run continues behind the last block that all of them have.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lit_infer.errors import UsageError
from lit_infer.folder import output_checks, outputs, partial, resume, writers
from lit_infer.folder.job import Job
from lit_infer.folder.partial import Growing
from lit_infer.folder.rows import array_output, report, writing
from lit_infer.folder.rows.answered import AnsweredBlock, read_blocks
from lit_infer.folder.rows.found import FoundBlock
from lit_infer.folder.rows.peeking import Peeking
from lit_infer.folder.sources import Inputs
from lit_infer.folder.table import Table
from lit_infer.folder.vectors import Vectors, width
from lit_infer.predictor import Predictor
from lit_infer.tasks import Ask


class RowOutputs:
    """The outputs of a run, including those that an earlier, interrupted run has written."""

    def __init__(self, job: Job, predictor: Predictor, table: Table, ask: Ask, folder: Path | None) -> None:
        self._job, self._table, self._ask, self._folder = job, table, ask, folder
        self._blocks: Growing | None = None
        self._vectors: Vectors | None = None
        self._arrays: list[array_output.OutputArray] = []
        self._waiting: list[bytes] = []
        self._committed, self._finished = time.monotonic(), False
        if folder is None:
            return
        self._blocks = Growing(folder / "blocks.bin")
        if job.embeddings is not None:
            self._vectors = Vectors(folder, width(predictor.manifest))
        if job.output is not None and job.output.suffix in writers.ARRAYS:
            tensors = predictor.manifest.outputs
            self._arrays = [array_output.OutputArray(folder, number, one) for number, one in enumerate(tensors)]

    def resumed(self, blocks: Peeking[FoundBlock]) -> Iterator[AnsweredBlock]:
        """The blocks that the earlier run has finished, each compared with the next of `blocks`, which is taken.

        `blocks` begins with the first block that is left to do, once all has been taken.
        """
        if self._blocks is None:
            return
        there = min((part.count() for part in self._parts), default=2**62)
        rows, end = 0, 0
        with self._blocks.path.open("rb") as file:
            for ends, done in read_blocks(file):
                if rows + done.count > there:
                    break  # what lies behind it was not written to the end
                _check_unchanged(done, blocks.peek())
                next(blocks)
                rows, end = rows + done.count, ends
                yield done
        self._blocks.cut(end)
        for part in self._parts:
            part.keep(rows)

    def add(self, block: AnsweredBlock, vectors: NDArray[Any] | None = None) -> None:
        """Take a block. `vectors`: the graph's first output, for `--embeddings`."""
        if self._blocks is None:
            return
        for array in self._arrays:
            array.add(block)
        if self._vectors is not None:
            self._vectors.add_rows(vectors, block.failed)
        self._waiting.append(block.encoded() if self._table.has_answers else block.without_answers().encoded())
        if time.monotonic() - self._committed >= partial.COMMIT_SECONDS:
            self._commit()

    def close(self) -> None:
        """Flush what there is to disk; if there is nothing, or all is finished, leave nothing behind."""
        if self._blocks is None or self._folder is None:
            return
        try:
            if not self._finished:
                self._commit()
            useless = self._job.output is None or self._blocks.size == 0
        finally:
            for part in (self._blocks, *self._parts):
                part.close()
        if self._finished or useless:
            resume.remove(self._folder)

    def finish(self, *, summary: Sequence[str], before_rows: Callable[[Path], object]) -> None:
        """Give every output its name, the rows last: until then the run can be resumed. `summary` goes on the page.

        `before_rows` is called with the finished file of rows when only that has yet to get its name.
        """
        job = self._job
        if self._blocks is None or self._folder is None:
            return
        self._commit()
        if job.report is not None:
            page = self._folder / "report.html"
            report.write(self._read, page, table=self._table, ask=self._ask, summary=summary)
            writers.publish(page, job.report)
        if job.embeddings is not None and self._vectors is not None:
            writers.publish(self._vectors.finish(), job.embeddings)
        if job.output is not None:
            made = self._folder / f"rows{job.output.suffix}"
            if self._arrays:
                array_output.write(job.output, made, self._arrays, self._read())
            else:
                writing.write(self._read, made, self._table, self._ask)
            before_rows(made)
            writers.publish(made, job.output)
        self._finished = True

    @property
    def _parts(self) -> Sequence[Vectors | array_output.OutputArray]:
        """All but the blocks, which are on disk only when these are."""
        return [*self._arrays, *([] if self._vectors is None else [self._vectors])]

    def _read(self) -> Iterator[AnsweredBlock]:
        if self._blocks is not None:
            with self._blocks.path.open("rb") as file:
                yield from (block for _, block in read_blocks(file))

    def _commit(self) -> None:
        if self._blocks is not None:
            for part in self._parts:
                part.commit()
            self._blocks.add(b"".join(self._waiting))
            self._waiting.clear()
            self._blocks.commit()
            self._committed = time.monotonic()


@contextmanager
def opened(job: Job, inputs: Inputs, predictor: Predictor, table: Table, ask: Ask) -> Iterator[RowOutputs]:
    """The outputs of a job. A run that ends early keeps its results beside the output."""
    output_checks.check(job, inputs)
    if job.output is not None and job.output.suffix in writers.ARRAYS:
        array_output.check(job.output, predictor.manifest)
    output_checks.check_task(job, table, name=predictor.manifest.name)
    with outputs.work_folder(job, inputs, predictor) as folder:
        made = RowOutputs(job, predictor, table, ask, folder)
        try:
            yield made
        finally:
            made.close()


def check_not_read(job: Job, inputs: Inputs) -> None:
    """Raise UsageError for an output that the next run over these files and folders would take for rows to predict."""
    for option, path in (("--output", job.output), ("--embeddings", job.embeddings)):
        for search in inputs.searches():
            if path is not None and search.covers(search.root / os.path.relpath(path.resolve(), search.root.resolve())):
                raise UsageError(
                    f"{option} {path} lies in {search}, where the next run would read it as rows: name a file elsewhere"
                )


def _check_unchanged(done: AnsweredBlock, found: FoundBlock | None) -> None:
    """Raise UsageError unless these rows are the next ones."""
    path = done.origins[0].path
    if found is None:
        wrong = f"{path} was expected next, but there are no more rows"
    elif changed := [(was, now) for was, now in zip(done.origins, found.origins, strict=False) if was != now]:
        was, now = changed[0]
        wrong = f"{was.path} was expected next, but {now.path} is there instead"
        if was.path == now.path:
            is_same = was.stamp == now.stamp
            wrong = f"{was.path} {'is read in other pieces now' if is_same else 'has changed since that run'}"
    elif len(done.origins) != len(found.origins):
        wrong = f"{path} is read in other pieces now"
    else:
        return
    raise UsageError(f"--resume: {wrong}. Leave --resume out to start over")
