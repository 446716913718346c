"""Does the server's memory grow with its requests, and what does it cost when idle?

    python benchmarks/serving_memory.py

Prepared tensors over 16 connections until 200,000 more are answered than by the first round, which is the warm-up; then
a minute of nothing. Memory and CPU time are what /metrics says of the server's process. Needs wrk (Debian's).
"""

import re
import tempfile
import time
from pathlib import Path

import httpx
from serving import SIDE, Leg, TinyCNN, make_bundle, prepared_legs, serving, wrk

REQUESTS, IDLE_S = 200_000, 60
MIB = 2**20


def main() -> None:
    """Print the memory after each round, its growth, and the idle CPU."""
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        with serving(make_bundle(TinyCNN(), here / "tiny", side=SIDE), here) as (url, grpc_url):
            prepared, _ = prepared_legs(url, grpc_url)
            one_round(prepared, url, here)
            growth = grown(prepared, url, here)
            idle = idle_share(url)
    print(f"growth over {REQUESTS:,} requests after warm-up: {growth / MIB:.1f} MiB (aim: at most 20 MB)")
    print(f"idle CPU over {IDLE_S} s with a model loaded: {idle:.2%} of one core (aim: under 1 %)")


def grown(leg: Leg, url: str, here: Path) -> float:
    """How many bytes more than at first are resident at most."""
    first_count, first = metric(url, "nv_inference_request_success"), metric(url, "process_resident_memory_bytes")
    largest = first
    while metric(url, "nv_inference_request_success") < first_count + REQUESTS:
        largest = max(largest, one_round(leg, url, here))
    return largest - first


def one_round(leg: Leg, url: str, here: Path) -> float:
    """Ask for some seconds; the bytes that are resident then."""
    found = wrk(leg, here)
    answered, resident = metric(url, "nv_inference_request_success"), metric(url, "process_resident_memory_bytes")
    print(f"{answered:9,.0f} requests   {resident / MIB:6.1f} MiB   {found.failed} failed", flush=True)
    return resident


def idle_share(url: str) -> float:
    """CPU seconds per second while nobody asks anything."""
    before, started = metric(url, "process_cpu_seconds_total"), time.monotonic()
    time.sleep(IDLE_S)
    return (metric(url, "process_cpu_seconds_total") - before) / (time.monotonic() - started)


def metric(url: str, name: str) -> float:
    """One number of /metrics."""
    found = re.search(rf"^{name}(?:\{{.*\}})? ([\d.e+]+)$", httpx.get(f"{url}/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


if __name__ == "__main__":
    main()
