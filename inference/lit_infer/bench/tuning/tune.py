"""Find the engine, the precision, the threads and the batch size that meet an aim best on this machine.

    latency      the least median time of one call with one image, or row
    throughput   the most images/s through `stream`, which is how `lit-infer` runs a folder; rows/s of a file
    p99<20ms     the most of either through `submit` with p99 below 20 ms, under callers that fill every batch

What is found must beat the default by more than two measurements of one setting differ; otherwise the default stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from lit_infer.bench.latencies import calls_needed
from lit_infer.bench.measure import ROUNDS, measure
from lit_infer.bench.subjects import Subject, sizes_for, sweep_of
from lit_infer.bench.tuning import trials
from lit_infer.bench.tuning.aims import Aim, Tried, Tuned
from lit_infer.errors import EngineError, GateError
from lit_infer.hardware import usable_cpus

MARGIN = 1.03
_AT_ONCE = 4


def tune(
    subjects: Sequence[Subject],
    aim: Aim,
    *,
    batch_sizes: Sequence[int] = (),
    seconds: float,
    advance: Callable[[], None] = lambda: None,
) -> Tuned:
    """Try every setting for about `seconds` and choose. Raises GateError if none is within the aim's bound.

    Without `batch_sizes` those are tried that suit the model's images or rows.

    The first subject's engine, on all cores, with the default batch size is the default.
    """
    return replace(_found(subjects, aim, _sizes(subjects, batch_sizes), seconds, advance), unit=subjects[0].unit)


def _found(
    subjects: Sequence[Subject], aim: Aim, sizes: Sequence[int], seconds: float, advance: Callable[[], None]
) -> Tuned:
    if aim.is_latency:
        return _by_latency(subjects, aim, sizes, seconds, advance)
    if aim.percentile is not None:
        return _by_bound(subjects, aim, sizes, seconds, advance)
    tried = trials.streamed(subjects, sizes, seconds, advance)
    return _tuned(aim, tried, subjects[0], lambda one: one.images_per_s)


def steps(subjects: Sequence[Subject], aim: Aim, *, batch_sizes: Sequence[int] = ()) -> int:
    """How often `tune` calls `advance`, except in the repetitions that a bound on a percentile needs."""
    sizes = len(_sizes(subjects, batch_sizes))
    if aim.is_latency:
        return len(subjects) * ROUNDS + sizes * trials.STREAM_ROUNDS
    return len(subjects) * sizes * (trials.STREAM_ROUNDS if aim.percentile is None else ROUNDS)


def _by_latency(
    subjects: Sequence[Subject], aim: Aim, sizes: Sequence[int], seconds: float, advance: Callable[[], None]
) -> Tuned:
    """Engine and threads by the time of one call; then the batch size by throughput, for those who hand over many."""
    usual = subjects[0].predictor.batch_size
    rows = measure(subjects, sizes_for(subjects[0], [1]), seconds=seconds, advance=advance)
    tried = [trials.from_row(row, row.p50_ms, batch_size=usual) for row in rows]
    found = _tuned(aim, tried, subjects[0], lambda one: -(one.latency_ms or 0))
    chosen = found.chosen
    own = [one for one in subjects if (one.name, one.predictor.threads) == (chosen.engine, chosen.threads)]
    streamed = trials.streamed(own, sizes, seconds, advance)
    # Two measurements may differ by 3 %: the default gets these for free.
    best = max(streamed, key=lambda one: one.images_per_s * (MARGIN if one.batch_size == usual else 1))
    return Tuned(aim, replace(chosen, batch_size=best.batch_size), found.default, found.tried)


def _by_bound(
    subjects: Sequence[Subject], aim: Aim, sizes: Sequence[int], seconds: float, advance: Callable[[], None]
) -> Tuned:
    """A short look at all settings, then long ones at the most promising: a percentile needs many calls."""
    assert aim.percentile is not None  # noqa: S101 - only called for such an aim
    settings = [(subject, size) for size in sizes for subject in subjects]
    tried = trials.loaded(settings, aim.percentile, seconds, advance)
    default = _default(tried, subjects[0])
    order = sorted(range(len(tried)), key=lambda index: -tried[index].images_per_s)
    ordered = tuple(tried[index] for index in order)
    hopeful = [index for index in order if (tried[index].latency_ms or 0) < 2 * aim.bound_ms]
    for start in range(0, len(hopeful), _AT_ONCE):
        looked_at = {*hopeful[start : start + _AT_ONCE], tried.index(default)}
        enough = max(calls_needed(aim.percentile) / tried[index].images_per_s for index in looked_at)
        again = trials.loaded([settings[index] for index in looked_at], aim.percentile, max(seconds, 1.2 * enough))
        default = _default(again, subjects[0])
        if within := [one for one in again if (one.latency_ms or 0) < aim.bound_ms]:
            found = Tuned(aim, max(within, key=lambda one: one.images_per_s), default, ordered)
            return found if default not in within or found.gain > MARGIN else Tuned(aim, default, default, ordered)
    quickest = min(tried, key=lambda one: one.latency_ms or 0)
    raise GateError(
        f"no setting has p{aim.percentile:g} below {aim.bound_ms:g} ms here; the quickest is {quickest} "
        f"with {quickest.latency_ms:.3g} ms. Nothing was written"
    )


def _tuned(aim: Aim, tried: Sequence[Tried], first: Subject, worth: Callable[[Tried], float]) -> Tuned:
    default = _default(tried, first)
    ordered = sorted(tried, key=worth, reverse=True)
    found = Tuned(aim, ordered[0], default, tuple(ordered))
    return found if found.gain > MARGIN else Tuned(aim, default, default, tuple(ordered))


def _sizes(subjects: Sequence[Subject], wanted: Sequence[int]) -> list[int]:
    """The sizes that are wanted, and the default."""
    return sizes_for(subjects[0], sorted({*(wanted or sweep_of(subjects[0])), subjects[0].predictor.batch_size}))


def _default(tried: Sequence[Tried], first: Subject) -> Tried:
    """What `load` takes if nothing was tuned."""
    for one in tried:
        if (one.engine, one.threads, one.batch_size) == (first.name, usable_cpus(), first.predictor.batch_size):
            return one
    raise EngineError(f"the default setting ({first.name}) was not measured")
