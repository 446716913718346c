"""The process that `cold_start` starts and times. Nothing is imported here before the clock runs."""

import sys
import time


def main(model: str, file: str, provider: str, device: str, threads: str, begun: str) -> None:
    """Open a graph, answer once, and write the time of each step as JSON. `begun`: the parent's `time.monotonic()`."""
    started = time.monotonic()
    from dataclasses import replace

    from lit_infer import bundle
    from lit_infer.predictor import open_predictor

    imported = time.monotonic()
    (graph,) = [replace(graph, provider=provider) for graph in bundle.find(model) if graph.path.name == file]
    predictor = open_predictor(graph, device=device, threads=int(threads) or None)
    opened = time.monotonic()
    from lit_infer.bench.inputs import golden
    from lit_infer.bench.subjects import Subject

    arrays = Subject("", predictor, golden(graph)).arrays(1)
    own = time.monotonic() - opened  # the time to make an input is not the model's
    predictor.run(arrays)
    answered = time.monotonic() - own
    found = {
        "import_ms": (imported - started) * 1e3,
        "open_ms": (opened - imported) * 1e3,
        "first_ms": (answered - opened) * 1e3,
        "total_ms": (answered - float(begun)) * 1e3,
        "peak_rss_mb": _peak_rss() / 2**20,
    }
    import json

    json.dump(found, sys.stdout)


def _peak_rss() -> int:
    """In bytes. `ru_maxrss` is the last resort: after an exec it still counts the parent's memory."""
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
