"""Predict all images that the arguments name: `lit-infer PATH...`, also as a library.

    inputs = arguments.parse(["photos/"])
    summary = run_job(predictor, inputs, Job(output=Path("rows.jsonl")))

    arguments -> sources (search, archives, cloud) -> loading -> predictor.stream -> table -> outputs, tally
    table: the rows that the model's task defines
    outputs: writers, vectors, sorting, html_report; an unfinished run is kept beside them (partial, resume)
    one part of a run for each of many machines: shards; joined again: merging

`running.py` tells the story. Memory does not grow with the number of images.
"""

from lit_infer.folder.listing import list_images
from lit_infer.folder.running import run, run_job
from lit_infer.folder.table import Table
from lit_infer.folder.writers import write_rows

__all__ = ["Table", "list_images", "run", "run_job", "write_rows"]
