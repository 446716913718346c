"""Measurements as tables for a terminal of 80 columns. Pure: nothing here prints."""

from collections.abc import Sequence

from rich.table import Table

from lit_infer.bench.cold_start import ColdRow
from lit_infer.bench.compare import Ratio
from lit_infer.bench.latencies import calls_needed
from lit_infer.bench.measure import best
from lit_infer.bench.result import BenchResult
from lit_infer.bench.rows import ROW_STAGES, SERVER, STAGES, BenchRow, unit_of
from lit_infer.bench.scenarios import SCENARIOS, ScenarioRow
from lit_infer.bench.served.record import ServedRecord
from lit_infer.bench.tuning.aims import Tuned
from lit_infer.bench.tuning.serving import MARGIN as WAY_MARGIN
from lit_infer.bench.tuning.serving import ServingWay
from lit_infer.bench.tuning.serving import best as best_way
from lit_infer.bench.tuning.tune import MARGIN

_NONE = "-"
_TRIED = 8


def table(rows: Sequence[BenchRow], *, everything: bool) -> Table:
    """Batch 1 and the best batch of each graph, or every row; the best one has a star."""
    fastest = best(rows)
    shown = [row for row in rows if everything or row.via != "call" or row.batch_size == 1 or row in fastest.values()]
    # A column whose values are all the same is left out: there is little room in 80 characters.
    columns = {
        "threads": len({row.threads for row in rows if row.threads}) > 1,
        "callers": any(row.via == "submit" for row in rows),
    }
    found = Table("format", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    names = [name for name, is_shown in columns.items() if is_shown]
    for name in ("batch", *names, "p50 ms", "p90", "p95", "p99", "p99.9", "mean", f"{unit_of(rows)}/s"):
        found.add_column(name, justify="right", no_wrap=True)
    found.add_column("", no_wrap=True)
    for row in sorted(shown, key=_order):
        sweep = [str(getattr(row, name) or _NONE) for name in names]
        times = (row.p50_ms, row.p90_ms, row.p95_ms, row.p99_ms, row.p999_ms, row.mean_ms)
        mark = "*" if row is fastest.get(row.format) else ""
        is_bound = row.via == "submit" and row.device != SERVER
        batch = f"≤{row.batch_size}" if is_bound else str(row.batch_size)
        name = f"{row.format}, file" if row.via == "file" else row.format
        found.add_row(name, batch, *sweep, *map(_ms, times), f"{row.images_per_s:,.0f}", mark)
    return found


def tables(result: BenchResult, ratios: Sequence[Ratio], *, everything: bool) -> list[Table]:
    """Everything that was measured, a table for each kind."""
    found = [table(result.rows, everything=everything)] if result.rows else []
    found += [parts] if (parts := stages(result.rows)) else []
    found += [scenarios(result.scenarios)] if result.scenarios else []
    found += [cold(result.cold)] if result.cold else []
    return found + ([comparison(ratios)] if ratios else [])


def notes(result: BenchResult) -> list[str]:
    """What the marks in the tables mean, if there are any, and on which machine the figures were measured."""
    rows, machine = result.rows, result.environment
    found = [f"{row.scenario} on {row.format} is not valid: {row.why}" for row in result.scenarios if row.why]
    if len({row.batch_size for row in rows if row.via == "call"}) > 1:
        found.append(f"* the most {unit_of(rows)}/s of its format")
    found += [_failures(row) for row in rows if row.failed]
    if any(row.via == "file" for row in rows):
        found.append("file: the rows of --data from reading to answers, in blocks on all threads, as lit-infer")
    if any(row.p999_ms is None for row in rows if row.via != "file"):
        needed = ", ".join(f"p{name:g} needs {calls_needed(name):,}" for name in (90, 99, 99.9))
        found.append(f"{_NONE} too few calls to tell ({needed}): raise --seconds")
    found += [_floor(one) for one in result.served]
    flags = ", ".join(machine.get("cpu_flags", ()))
    found.append(f"{machine['cpu']}, {machine['cores']} cores{flags and f' ({flags})'}")
    if machine.get("load_average", 0) > machine["cores"] / 2:
        found.append(f"other work is running here (load average {machine['load_average']}): the figures are too slow")
    return found


def stages(rows: Sequence[BenchRow]) -> Table | None:
    """Where the time for one image goes; None if only the graph was measured."""
    known = [row for row in rows if row.stages_ms is not None]
    if not known:
        return None
    unit = unit_of(known)
    names = list(ROW_STAGES if unit == "rows" else STAGES)
    found = Table("a row's" if unit == "rows" else "an image's", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("threads", "batch", "callers", *(f"{name} ms" for name in names)):
        found.add_column(name, justify="right")
    for row in sorted(known, key=_order):
        parts = row.stages_ms or {}
        whole = sum(parts.values()) or 1.0
        cells = [f"{_ms(parts[name])} {parts[name] / whole:4.0%}" for name in names]
        found.add_row(row.format, str(row.threads), str(row.batch_size), str(row.callers), *cells)
    return found


def scenarios(rows: Sequence[ScenarioRow]) -> Table:
    """The result of each scenario, in its own terms."""
    found = Table("scenario", "format", "result", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    found.add_column("queries", justify="right")
    found.add_column("valid")
    for row in rows:
        valid = "yes" if row.valid else "no"
        title = SCENARIOS[row.scenario].title
        found.add_row(title, row.format, _result(row), f"{row.queries:,}", valid)
    return found


def cold(rows: Sequence[ColdRow]) -> Table:
    """A fresh process, step by step."""
    found = Table("cold start", box=None, pad_edge=False)
    for name in ("import ms", "open ms", "first ms", "total ms", "peak MB"):
        found.add_column(name, justify="right")
    for row in rows:
        figures = (row.import_ms, row.open_ms, row.first_ms, row.total_ms, row.peak_rss_mb)
        found.add_row(row.format, *(f"{value:,.0f}" for value in figures))
    return found


def comparison(ratios: Sequence[Ratio]) -> Table:
    """Then, now, and now over then."""
    found = Table("now / then", "figure", box=None, pad_edge=False)
    for name in ("then", "now", "ratio"):
        found.add_column(name, justify="right")
    for ratio in ratios:
        found.add_row(ratio.what, ratio.figure, _number(ratio.old), _number(ratio.new), f"{ratio.ratio:.2f}")
    return found


def tried(found: Tuned) -> Table:
    """The best settings that were tried, the default, and their figures."""
    table = Table("engine", box=None, pad_edge=False)
    has_latency = found.chosen.latency_ms is not None
    for name in ("threads", "batch", *[found.aim.latency_name] * has_latency, f"{found.unit}/s"):
        table.add_column(name, justify="right")
    table.add_column("")
    for one in dict.fromkeys([found.chosen, *found.tried[:_TRIED], found.default]):
        marks = [name for name, marked in (("chosen", found.chosen), ("default", found.default)) if one == marked]
        latency = [_ms(one.latency_ms)] * has_latency
        figures = (str(one.threads), str(one.batch_size), *latency, _number(one.images_per_s))
        table.add_row(one.engine, *figures, ", ".join(marks))
    return table


def tuned(found: Tuned) -> list[str]:
    """What was chosen, why, and by how much."""
    if found.is_default:
        return [f"{found.aim.text}: {found.chosen}, the default; nothing else is more than {MARGIN - 1:.0%} better"]
    return [f"{found.aim.text}: {found.chosen}, {found.why}", f"the default is {found.default}{found.why_not}"]


def served(found: Sequence[ServingWay]) -> Table:
    """Ways to serve, the best marked."""
    chosen = best_way(found)
    table = Table("lit-serve", box=None, pad_edge=False)
    for name in ("requests/s", "p99 ms"):
        table.add_column(name, justify="right")
    table.add_column("")
    for one in found:
        table.add_row(str(one), _number(one.requests_per_s), _ms(one.p99_ms), "chosen" if one == chosen else "")
    return table


def served_best(found: Sequence[ServingWay]) -> str:
    """What was chosen, and by how much."""
    chosen = best_way(found)
    threads = next(one for one in found if not one.processes)
    if chosen == threads:
        return f"lit-serve: in threads; no number of processes is more than {WAY_MARGIN - 1:.0%} better"
    return f"lit-serve: {chosen}, {chosen.requests_per_s / threads.requests_per_s:.2f} times the requests of threads"


def _failures(row: BenchRow) -> str:
    asked = row.calls + row.failed
    return (
        f"{row.failed:,} of {asked:,} requests of {row.format} ({row.callers} callers) failed "
        f"and are not in any figure: {row.why_failed}"
    )


def _floor(one: ServedRecord) -> str:
    """How much of a served model's figures is due to the client and the network."""
    protocol, asked = ("HTTP", "GET /v2/health/live") if one.protocol == "http" else ("gRPC", "ServerLive")
    floors = [f"{floor.callers} at once {_ms(floor.p50_ms)} ms, {floor.requests_per_s:,.0f}/s" for floor in one.floor]
    return f"client + {protocol} floor, part of every figure of {one.format} ({asked}): {'; '.join(floors)}"


def _order(row: BenchRow) -> tuple[str, str, int, int, int]:
    return row.format, row.via, row.callers, row.threads, row.batch_size


def _result(row: ScenarioRow) -> str:
    latency = (
        f"p{row.percentile:g} {_ms(row.latency_ms)}{' ms' * (row.latency_ms is not None)}" if row.percentile else ""
    )
    if row.rate is not None:
        return f"{_number(row.rate)} queries/s, p99 {_ms(row.latency_ms)} of {row.bound_ms:g} ms"
    return latency or f"{_number(row.images_per_s)} {row.unit}/s"


def _ms(value: float | None) -> str:
    return _NONE if value is None else _number(value)


def _number(value: float) -> str:
    """Three digits; repeated measurements agree on fewer."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}" if value >= 0.9995 else f"{value:.3f}"
