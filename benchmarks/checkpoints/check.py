"""`check.py BUNDLE HELD.npz`: does the bundle answer as the package's own module did? Exit 1 if not."""

import sys

import numpy as np

import lit_infer

TOLERANCE = 1e-3
"""Of the largest answer: float32 graphs differ by 1e-5 and less, a wrong one by much more."""


def main() -> None:
    """Feed the held-out inputs by name, and compare what both answered, by name where names agree."""
    bundle, path = sys.argv[1:]
    held = np.load(path)
    wanted = {name.removeprefix("out."): held[name] for name in held.files if name.startswith("out.")}
    with lit_infer.load(bundle) as model:
        answers = model.run({field.name: held[f"in.{field.name}"] for field in model.manifest.inputs})
    print(*(compare(name, got, wanted, index) for index, (name, got) in enumerate(answers.items())), sep="; ")


def compare(name: str, got: np.ndarray, wanted: dict[str, np.ndarray], index: int) -> str:
    """One line about an output; a SystemExit where it differs."""
    true = wanted.get(name, list(wanted.values())[min(index, len(wanted) - 1)])
    if got.shape != true.shape or not got.size:
        sys.exit(f"{name} is {list(got.shape)}, the module's {list(true.shape)}")
    if true.dtype == bool:
        worst, size = float(np.mean(got != true)), 1.0
    else:
        worst, size = float(np.abs(got.astype(np.float64) - true).max(initial=0)), float(np.abs(true).max(initial=0))
    if not worst <= TOLERANCE * max(size, 1e-6):
        sys.exit(f"{name} differs by {worst:.1e} of {size:.1e}")
    return f"{name} {worst:.0e} of {size:.0e}"


if __name__ == "__main__":
    main()
