"""A DataLoader that a checkpoint can put back exactly where it was, in the middle of an epoch.

Lightning saves the state of any loader that has `state_dict` and `load_state_dict`. Without them a run resumed
in mid-epoch sees the epoch's first batches again, in another order.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader

T = TypeVar("T")


class ResumableLoader(DataLoader[T]):
    """As DataLoader. Resumed on one process, it gives exactly the batches that an uninterrupted run would have seen.

    The order and the augmentation come from torch's generator, so its state at the start of the epoch is kept;
    the batches already seen are drawn again and dropped, and then the generator's state is restored.
    """

    # Class attributes, not an __init__: Lightning makes new loaders from the parameters of theirs.
    _to_resume: dict[str, Any] | None = None
    _batches: int = 0
    _epoch_start: torch.Tensor | None = None

    def __iter__(self) -> Iterator[T]:  # type: ignore[override]
        state, self._to_resume = self._to_resume, None
        skip = 0
        if state is not None:
            finished = state["batches"] >= len(self)
            torch.set_rng_state(state["now"] if finished else state["epoch_start"])
            skip = 0 if finished else state["batches"]
        self._epoch_start = torch.get_rng_state()
        for number, batch in enumerate(super().__iter__(), start=1):
            self._batches = number
            if number > skip:
                yield batch
            elif number == skip and state is not None:
                torch.set_rng_state(state["now"])

    def state_dict(self) -> dict[str, Any]:
        """Batches given in this epoch, and torch's generator at its start and now."""
        now = torch.get_rng_state()
        start = self._epoch_start if self._epoch_start is not None else now
        return {"batches": self._batches, "epoch_start": start, "now": now}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take effect when the next epoch begins."""
        self._to_resume = state
