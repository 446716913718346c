"""An engine that fails when it is told to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lit_infer.errors import EngineError
from lit_infer.predictor import load
from lit_infer.server.models.batches import Batches
from lit_infer.server.models.instances import InThreads
from lit_infer.server.models.opening import OnDeath, Opening, Served
from lit_infer.server.models.runner import Runner
from lit_infer.server.models.sources import Located, ModelSource
from lit_infer.server.models.stats import Stats

CPU = Opening(device="cpu")


class Engine:
    """A graph's `run` that can be told to fail; `opened` counts its openings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fails: Callable[[NDArray[Any]], bool] = lambda _: False
        self.fails_to_open = 0
        self.opened = 0

    def open(self, source: ModelSource, opening: Opening, stats: Stats, on_death: OnDeath) -> Served:
        self.opened += 1
        if self.fails_to_open:
            self.fails_to_open -= 1
            raise EngineError("not yet")
        predictor = load(self.path, device="cpu")
        graph = predictor.sessions.for_many()

        def run(inputs: Any) -> Any:
            if self.fails(inputs[0]):
                raise RuntimeError("CUDA error: an illegal memory access was encountered at 0x7f")
            return graph(inputs)

        batches = Batches(predictor.manifest, run, predictor.prepared, max_batch=8)
        instances = InThreads(predictor, batches, count=predictor.threads)
        runner = Runner(instances, policy=opening.policy(instances.opened), stats=stats, on_death=on_death)
        return Served("colours", Located(self.path, str(source.number), ""), instances, runner)
