"""Where the tokens of a text are in it, for tasks whose answers are about parts of a text."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextPlaces:
    """A text, and its tokens as the graph gets them."""

    text: str
    offsets: Sequence[tuple[int, int]]
    """For each token the characters of the text that it stands for, first and behind the last."""
    words: Sequence[int | None]
    """For each token which word it is part of, as the tokenizer splits texts; None: of none."""
    special: Sequence[int]
    """For each token 1 where the tokenizer added it: it stands for nothing in the text."""
    first: int
    """Where the first token is among those of its padded row."""
    unseen: int = 0
    """Characters that were cut off, because the text has more tokens than the model takes."""
