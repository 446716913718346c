"""Predict everything that some arguments name: `lit-infer PATH...`, and for other programs.

    inputs = arguments.parse(["photos/"])
    summary = run_job(predictor, inputs, Job(output=Path("rows.jsonl")))

    arguments -> sources (search, archives, cloud) -> loading -> predictor.stream -> outputs -> tally
    outputs: writers, vectors, sorting, html_report; an unfinished run is kept beside them (partial, resume)

`running.py` tells the story. Memory does not grow with the number of images.
"""

from lit_infer.folder.running import list_images, row, run, run_job
from lit_infer.folder.writers import COLUMNS, write_rows

__all__ = ["COLUMNS", "list_images", "row", "run", "run_job", "write_rows"]
