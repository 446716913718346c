"""How soon `lit-infer` shows the first result of a huge folder, and how much memory many images take.

    PYTHONPATH=. python benchmarks/listing.py                  a folder of 1,000,000; peaks at 1,000 and 100,000 images
    PYTHONPATH=. python benchmarks/listing.py --count 100000

Uses a model that costs nothing and hard links to one small image: what is measured is all that stands around them.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.inference.tiny import colour, make_bundle, save

MOST_LINKS = 60_000  # of one file; ext4 takes 65,000
ROUNDS = 5

PEAK = """
import re, sys
from pathlib import Path
from lit_infer.cli import main
try:
    main()
finally:
    print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1], file=sys.stderr)
"""


def main() -> None:
    """Make the folders, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="images in the huge folder")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        bundle = make_bundle(here / "bundle")
        started = time.perf_counter()
        huge = linked(here / "huge", count)
        print(f"{count:,} links made in {time.perf_counter() - started:.0f} s")
        one = linked(here / "one", 1)
        for what, folder in ((f"{count:,} images", huge), ("1 image", one)):
            seconds = sorted(first_row(folder, bundle) for _ in range(ROUNDS))
            print(f"first row of {what:<17} {seconds[0]:.2f} s at best, {seconds[ROUNDS // 2]:.2f} s in the middle")
        shutil.rmtree(huge)
        peaks = {number: peak_mb(linked(here / str(number), number), bundle) for number in (1_000, 100_000)}
        for number, peak in peaks.items():
            print(f"peak memory at {number:>7,} images {peak:6.0f} MB")
        print(f"difference                    {peaks[100_000] - peaks[1_000]:6.0f} MB")


def linked(folder: Path, count: int) -> Path:
    """A folder of that many images, in an order that says nothing of their names."""
    folder.mkdir()
    image = save(folder.with_name(f"{folder.name}.png"), colour("red"))
    names = random.Random(1).sample(range(count), count)  # noqa: S311
    for place, number in enumerate(names):
        if place % MOST_LINKS == 0:
            image = Path(shutil.copyfile(image, image.with_name(f"{folder.name}-{place}.png")))
        os.link(image, folder / f"image-{number:07}.png")
    return folder


def first_row(folder: Path, bundle: Path) -> float:
    """Seconds from the start of the process to its first row."""
    line = [Path(sys.executable).with_name("lit-infer"), folder, "-m", bundle, "--json", "--quiet"]
    started = time.perf_counter()
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        row = process.stdout.readline()
        seconds = time.perf_counter() - started
        process.kill()
    assert b'"label": "red"' in row, row
    return seconds


def peak_mb(folder: Path, bundle: Path) -> float:
    """The largest memory that a whole run takes."""
    line = [sys.executable, "-c", PEAK, folder, "-m", bundle, "--quiet", "-o", folder.with_suffix(".jsonl")]
    done = subprocess.run(line, capture_output=True, text=True, check=True)  # noqa: S603
    # Not getrusage: its peak includes that of the process that started this one.
    return int(re.findall(r"\d+", done.stderr)[-1]) / 1024


if __name__ == "__main__":
    main()
