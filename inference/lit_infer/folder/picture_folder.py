"""Images beside what should be made of each: `root/inputs/a/1.jpg` and `root/targets/a/1.png`, or `1.npy` of values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lit_infer.errors import InputError, UsageError
from lit_infer.folder.pairs import PairWords, paired
from lit_infer.images import SUFFIXES
from lit_infer.images.limits import DEFAULT_LIMITS
from lit_infer.images.pictures import to_array
from lit_infer.images.pixels import decode, read
from lit_infer.images.preprocess import Step
from lit_infer.images.values import ReadImage

INPUTS, TARGETS = "inputs", "targets"
_ARRAYS = frozenset({".npy"})
_AS_STORED = (Step(read=ReadImage(mode="unchanged", library="numpy", depth="float32")),)


@dataclass(frozen=True)
class PictureFolder:
    """The images below a folder, each with its target."""

    pairs: tuple[tuple[Path, Path], ...]

    @classmethod
    def of(cls, root: Path, *, suffixes: frozenset[str] = SUFFIXES) -> "PictureFolder":
        """Raises NotFoundError where the two folders are not there, UsageError for an image without its target."""
        words = PairWords(INPUTS, TARGETS, "a target", "targets")
        return cls(paired(root, words, suffixes=suffixes, others=SUFFIXES | _ARRAYS))

    def target(self, index: int) -> NDArray[Any]:
        """[height, width, channels] as stored: uint8 or uint16; float32 of an array of NumPy."""
        path = self.pairs[index][1]
        try:
            steps = _AS_STORED if path.suffix in _ARRAYS else ()
            return to_array(decode(read(path), steps=steps, limits=DEFAULT_LIMITS))
        except InputError as error:
            raise UsageError(f"{path} cannot be used: {error}") from None
