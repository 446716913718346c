"""What `make bench` looks for: each figure with its aim, and what was seen. `python benchmarks/figures.py FILE`.

The other scripts `note` what they find in the file that LIT_FIGURES names, a line of JSON each; here it becomes the
table of benchmarks/README.md, the misses in bold.
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lit_infer.hardware import cpu_model, usable_cpus

VARIABLE = "LIT_FIGURES"


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    said: str
    aim: float
    is_most: bool = False
    """Whether the aim is the most that it may be, not the least."""

    def cell(self, seen: float) -> str:
        """As the table shows it."""
        is_missed = seen > self.aim if self.is_most else seen < self.aim
        return f"**{seen:.2f}**" if is_missed else f"{seen:.2f}"


FIGURES = (
    Figure("resize", "resize and crop over Pillow's, processor time", 0.25, is_most=True),
    Figure("prepared", "file to prepared pixels, over the same with Pillow's resize, one core", 1.6),
    Figure("folder", "folder, MobileNetV3-small, over the same with Pillow's resize", 1.3),
    Figure("stream-limit", "its share of the new limit: `stream`", 0.95),
    Figure("folder-limit", "its share of the new limit: `lit-infer`", 0.95),
    Figure("resnet-loop", "folder, ResNet-18, over a hand-written onnxruntime loop", 1.05),
    Figure("submit", "`submit` from 32 threads over the best fixed batch", 0.95),
    Figure("mosec-16", "one JPEG a request over mosec, 16 connections", 1.25),
    Figure("mosec-64", "the same, 64 connections", 1.25),
    Figure("mosec-16-p99", "p99 over mosec's, 16 connections", 1.0, is_most=True),
    Figure("mosec-64-p99", "the same, 64 connections", 1.0, is_most=True),
    Figure("triton-16", "over Triton's python backend, 16 connections", 1.3),
    Figure("triton-64", "the same, 64 connections", 1.3),
    Figure("litserve-16", "over LitServe, 16 connections", 1.6),
    Figure("litserve-64", "the same, 64 connections", 1.6),
    Figure("grpc", "gRPC over REST, tiny tensors", 0.8),
    Figure("trainer", "`Trainer.fit` over a bare loop", 1.05, is_most=True),
)


def note(name: str, *seen: float) -> None:
    """Keep what was found; of several values they are of the ways that the README names, in its order."""
    if path := os.environ.get(VARIABLE):
        assert any(figure.name == name for figure in FIGURES), name
        with Path(path).open("a") as file:
            file.write(json.dumps({"name": name, "seen": seen}) + "\n")


def table(lines: list[str]) -> str:
    """The figures that were noted, the latest of each."""
    found = {line["name"]: line["seen"] for line in map(json.loads, lines)}
    rows = ["| figure | aim | seen |", "|---|---|---|"]
    for figure in FIGURES:
        if figure.name in found:
            seen = "; ".join(map(figure.cell, found[figure.name]))
            bound = "at most" if figure.is_most else "at least"
            rows.append(f"| {figure.said} | {bound} {figure.aim:g} | {seen} |")
    return "\n".join(rows)


def main() -> None:
    """Print the table of the figures in the file that is named."""
    print(f"\n{time.strftime('%F')}, {cpu_model()}, {usable_cpus()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(table(Path(sys.argv[1]).read_text().splitlines()))


if __name__ == "__main__":
    main()
