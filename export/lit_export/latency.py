"""How fast graphs are here, next to each other: what a smaller precision has to earn its place with."""

from collections.abc import Mapping

from lit_infer.bench.inputs import Repeated
from lit_infer.bench.measure import ROUNDS, Subject, measure
from lit_infer.hardware import DEFAULT_BATCH_SIZE, cpu_model
from lit_infer.manifest import Latency
from lit_infer.predictor import Predictor
from lit_infer.tensors import NamedArrays

SECONDS = 2.0
MARGIN = 1.05
"""Less than 5 % is within what two measurements of the same file differ by."""


def compare(
    predictors: Mapping[str, Predictor],
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    seconds: float = SECONDS,
    inputs: NamedArrays | None = None,
) -> dict[str, Latency]:
    """Time graphs on prepared input, about `seconds` each, in turns: what else the machine does hurts all alike.

    `inputs`: arrays whose rows they are fed, by name; None: noise, which indices into a table do not survive.
    """
    made = None if inputs is None else Repeated(inputs)
    subjects = [Subject(name, predictor, made) for name, predictor in predictors.items()]
    rounds = ROUNDS if len(subjects) > 1 else 2  # a graph alone has nobody to take turns with
    rows = measure(subjects, [batch_size], seconds=seconds, rounds=rounds)
    cpu = cpu_model()
    return {
        name: Latency(ms=(row.p50_ms or 0.0) / batch_size, batch_size=batch_size, threads=predictor.threads, cpu=cpu)
        for (name, predictor), row in zip(predictors.items(), rows, strict=True)
    }


def earns(fp32: Latency, int8: Latency) -> bool:
    """Whether int8 is faster than float32 on this host, by more than chance. Accuracy has a gate of its own."""
    return int8.ms * MARGIN < fp32.ms
