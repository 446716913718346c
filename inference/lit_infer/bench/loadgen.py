"""Scenarios driven by MLPerf's own load generator, `mlcommons-loadgen`."""

import json
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lit_infer.bench.latencies import PERCENTILES
from lit_infer.bench.scenarios import Driven, Driver, Load, refusals
from lit_infer.bench.target import Done, LoadTarget
from lit_infer.errors import EngineError, MissingExtraError, OverloadedError, require

_WARM_UPS = 5


def driver() -> Driver:
    """MLPerf's load generator if it is installed, otherwise our own."""
    try:
        module = require("mlperf_loadgen", extra="bench", purpose="--scenario")
    except MissingExtraError:
        from lit_infer.bench.own_driver import OwnDriver

        return OwnDriver()
    return LoadgenDriver(module)


class LoadgenDriver:
    """Calls the load generator, answers what it asks, and reads the results from its log."""

    name = "mlperf_loadgen"

    def __init__(self, module: Any) -> None:
        self._loadgen = module

    def __call__(self, target: LoadTarget, load: Load) -> Driven:
        """Drive one scenario."""
        least = min(_seconds(target, load.scenario.images_per_query) for _ in range(_WARM_UPS))
        settings = _settings(self._loadgen, load, least=least)
        with tempfile.TemporaryDirectory(prefix="lit-bench-") as name:
            session = _Session(self._loadgen, target, load)
            session.run(settings, Path(name))
            return _read(Path(name) / "mlperf_log_detail.txt", load, session)


class _Session:
    """One test. The generator calls `_issue` on a thread of its own, and no exception may reach it from there."""

    def __init__(self, loadgen: Any, target: LoadTarget, load: Load) -> None:
        self._loadgen, self._target, self._load = loadgen, target, load
        self._failed: list[BaseException] = []
        self._completed: list[int] = []
        self.refused: list[OverloadedError] = []

    @property
    def images(self) -> int:
        """How many images were asked about."""
        return len(self._completed)

    @property
    def answered(self) -> int:
        """How many of them were not refused."""
        return self.images - self._images_refused_at_once * len(self.refused)

    @property
    def why_failed(self) -> str:
        """How many were refused, and what the server said; empty if it answered all."""
        return refusals(self.refused, self.images // self._images_refused_at_once)

    @property
    def _images_refused_at_once(self) -> int:
        """Offline's one query is answered image by image."""
        return 1 if self._load.scenario.name == "offline" else self._load.scenario.images_per_query

    def run(self, settings: Any, logs: Path) -> None:
        """Run the test. Raises any error other than a refusal, and EngineError if every query was refused."""
        generator = self._loadgen
        sut = generator.ConstructSUT(self._issue, lambda: None)
        count = self._target.count
        qsl = generator.ConstructQSL(count, count, lambda _: None, lambda _: None)
        try:
            self._start(sut, qsl, settings, _log_settings(generator, logs))
        finally:
            generator.DestroyQSL(qsl)
            generator.DestroySUT(sut)
        if self._failed:
            raise self._failed[0]
        if not self.answered:
            raise EngineError(f"none of {len(self.refused)} queries was answered: {self.refused[0]}")

    def _start(self, *arguments: Any) -> None:
        """On a thread, so that Ctrl-C works: the generator itself does not return before the test is over."""
        is_over = threading.Event()

        def test() -> None:
            try:
                self._loadgen.StartTestWithLogSettings(*arguments)
            finally:
                is_over.set()

        threading.Thread(target=test, daemon=True).start()
        while not is_over.is_set():  # not Thread.join: after an interrupt it takes the thread for ended
            try:
                is_over.wait()
            except BaseException as error:
                self._failed.append(error)  # from now on all queries are answered at once

    def _issue(self, queries: Sequence[Any]) -> None:
        left = deque(queries)
        try:
            if not self._failed:
                self._answer(left)
        except BaseException as error:
            self._failed.append(error)
        self._complete(left)  # what an error has left is completed at once, so that the test ends

    def _answer(self, left: deque[Any]) -> None:
        """Answer the queries, or submit them, and take each off the list."""
        match self._load.scenario.name:
            case "server":
                while left:
                    self._target.submit(left[0].index, self._completer(left[0]))
                    left.popleft()
            case "offline":
                for refusal in self._target.stream([query.index for query in left]):
                    self._note(refusal)
                    self._complete([left.popleft()])
                    if self._failed:
                        return
            case _:
                try:
                    self._target.answer([query.index for query in left])
                except OverloadedError as refusal:
                    self._note(refusal)
                self._complete(left)
                left.clear()

    def _completer(self, query: Any) -> Done:
        def done(error: BaseException | None) -> None:
            self._note(error)
            self._complete([query])

        return done

    def _note(self, error: BaseException | None) -> None:
        if isinstance(error, OverloadedError):
            self.refused.append(error)
        elif error is not None:
            self._failed.append(error)

    def _complete(self, queries: Iterable[Any]) -> None:
        self._completed += [query.index for query in queries]
        self._loadgen.QuerySamplesComplete([self._loadgen.QuerySampleResponse(query.id, 0, 0) for query in queries])


def _seconds(target: LoadTarget, images: int) -> float:
    started = time.perf_counter()
    target.answer([0] * images)
    return time.perf_counter() - started


def _settings(loadgen: Any, load: Load, *, least: float) -> Any:
    """`least`: seconds of the fastest query, from which the generator works out how many queries to prepare."""
    settings = loadgen.TestSettings()
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.scenario = getattr(loadgen.TestScenario, load.scenario.title)
    settings.min_duration_ms = round(load.seconds * 1e3)
    settings.min_query_count = 1
    settings.single_stream_expected_latency_ns = settings.multi_stream_expected_latency_ns = round(least / 2 * 1e9)
    settings.multi_stream_samples_per_query = load.scenario.images_per_query
    settings.offline_expected_qps = load.rate
    settings.server_target_qps = load.rate
    settings.server_target_latency_ns = round(load.bound * 1e9)
    settings.server_target_latency_percentile = 0.99
    return settings


def _log_settings(loadgen: Any, folder: Path) -> Any:
    output = loadgen.LogOutputSettings()
    output.outdir = str(folder)
    output.copy_summary_to_stdout = False
    settings = loadgen.LogSettings()
    settings.log_output = output
    settings.enable_trace = False
    return settings


def _read(log: Path, load: Load, session: _Session) -> Driven:
    """The result from the generator's log, which has a JSON object after a mark on each line."""
    lines = [json.loads(line.partition(" ")[2]) for line in log.read_text().splitlines() if line.startswith(":::MLLOG")]
    found = {line["key"]: line["value"] for line in lines}
    if "result_validity" not in found:
        raise EngineError(f"mlperf_loadgen ended without a result; its log says: {lines[-1] if lines else 'nothing'}")
    middle = "per_query_latency" if load.scenario.name == "multi-stream" else "latency"
    latencies = {name: found[f"result_{name:.2f}_percentile_{middle}_ns"] / 1e6 for name in PERCENTILES}
    is_valid = found["result_validity"] == "VALID"
    return Driven(
        queries=found["result_query_count"],
        images=session.answered,
        seconds=session.images / _images_per_s(found, load),
        # The generator knows no failed queries: it took refusals for answers, and for fast ones.
        latencies_ms={} if session.refused else latencies,
        late=found.get("result_overlatency_query_count", 0),
        valid=is_valid and not session.refused,
        why=session.why_failed or ("" if is_valid else _why(found)),
        failed=len(session.refused),
    )


def _images_per_s(found: dict[str, Any], load: Load) -> float:
    match load.scenario.name:
        case "single-stream":
            return float(found["result_qps_with_loadgen_overhead"])
        case "multi-stream":
            return load.scenario.images_per_query / float(found["result_mean_query_latency_ns"]) * 1e9
        case "server":
            return float(found["result_completed_samples_per_sec"])
    return float(found["result_samples_per_second"])


def _why(found: dict[str, Any]) -> str:
    if not found.get("result_perf_constraints_met", True):
        return f"{found['result_overlatency_query_count']} of {found['result_query_count']} queries were late"
    if not found["result_min_duration_met"]:
        return "it ended before --seconds: measure again"
    return "too few queries for 99 % confidence: raise --seconds"
