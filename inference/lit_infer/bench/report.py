"""Measurements as a table for a terminal. Pure: nothing here prints."""

from collections.abc import Sequence

from rich.table import Table

from lit_infer.bench.measure import Row, best


def table(rows: Sequence[Row], *, everything: bool) -> Table:
    """Batch 1 and the best batch of each format, or every row."""
    fastest = best(rows)
    found = Table("format", box=None, pad_edge=False)
    for name in ("batch", "p50 ms", "p90 ms", "p99 ms", "images/s"):
        found.add_column(name, justify="right")
    found.add_column("")
    for row in sorted(rows, key=lambda row: (row.format, row.batch_size)):
        is_best = row is fastest[row.format]
        if everything or is_best or row.batch_size == 1:
            times = (f"{value:.3f}" for value in (row.p50_ms, row.p90_ms, row.p99_ms))
            speed = f"{row.images_per_s:,.0f}"
            found.add_row(row.format, str(row.batch_size), *times, speed, "best batch" if is_best else "")
    return found
