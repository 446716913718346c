"""What is said once about a run, as lines: files that were skipped, and what images have that is not used."""

from collections.abc import Mapping

from lit_infer.images.notes import NOTES

NO_SUFFIX = "without a suffix"
_SHOWN = 8  # suffixes
_HEIC = (".heic", ".heif")


def lines(skipped: Mapping[str, int], notes: Mapping[str, int], *, of_rows: bool = False) -> list[str]:
    """Nothing for a run without any. `of_rows`: whether files of rows were looked for, not images."""
    kind = ("file of rows", "files of rows") if of_rows else ("image", "images")
    found = [_skipped(skipped, kind)] if skipped else []
    return found + [f"note: {_images(notes[name])} {said}" for name, said in NOTES.items() if notes.get(name)]


def _skipped(skipped: Mapping[str, int], kind: tuple[str, str]) -> str:
    parts = [f"{count:,} {suffix}" for suffix, count in list(skipped.items())[:_SHOWN]]
    if more := sum(list(skipped.values())[_SHOWN:]):
        parts.append(f"{more:,} of other kinds")
    total = sum(skipped.values())
    what = f"1 file is no {kind[0]} and was" if total == 1 else f"{total:,} files are no {kind[1]} and were"
    cure = '. HEIC needs: pip install "lit-deploy[heif]"' if any(name in skipped for name in _HEIC) else ""
    return f"skipped: {what} left out ({', '.join(parts)}){cure}"


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"
