"""Real pictures for tasks of which noise shows nothing: those behind `--data`, where no others are given."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

from PIL import Image

from lit_export import data
from lit_export.options import Options
from lit_export.tasks import TASKS, Target

_COUNT = 16


def with_pictures(options: Options, target: Target, scratch: Path) -> Options:
    """The options, with some of the labelled images as those that are compared on."""
    if options.images is not None or options.data is None or TASKS[target.facts.task].check_answers is None:
        return options
    if not data.is_configuration(options.data):
        return replace(options, images=options.data if options.data.is_dir() else options.data.parent)
    folder = scratch / "pictures"
    folder.mkdir()
    for index, (image, _) in enumerate(islice(data.stored(options.data, "val", trust=options.trust), _COUNT)):
        if isinstance(image, Image.Image):
            image.save(folder / f"{index:02d}.png")
    return replace(options, images=folder if any(folder.iterdir()) else None)
