"""What `lit-bench tune` tries: every engine that has a graph of one precision, on several numbers of threads."""

from collections.abc import Sequence
from dataclasses import dataclass

from lit_infer import bundle
from lit_infer.bench.inputs import golden
from lit_infer.bench.subjects import Subject
from lit_infer.errors import LitError, UsageError
from lit_infer.hardware import usable_cpus
from lit_infer.images import ImageInput
from lit_infer.manifest import Manifest, Precision
from lit_infer.predictor import open_predictor


@dataclass(frozen=True)
class Candidates:
    """What is tried: every engine that has a graph of this precision, on several numbers of threads."""

    subjects: list[Subject]
    """The engine of the first one is the default, which `load` chooses by itself."""
    precision: Precision
    left_out: list[str]

    @property
    def manifest(self) -> Manifest:
        """The model's manifest."""
        return self.subjects[0].predictor.manifest


def open_candidates(model: str, *, images: Sequence[ImageInput] = (), precision: str = "auto") -> Candidates:
    """Open what could be chosen. All have one precision: another one gives other answers, which no speed excuses."""
    graphs = bundle.find(model)
    if graphs[0].manifest is None:
        raise UsageError(f"{model} is a single graph file, and settings are kept only for bundles: tune the bundle")
    default = bundle.choose(graphs, precision=precision)
    assert default.listed is not None  # noqa: S101 - a bundle's graph is listed
    kept = default.listed.precision
    first = default.engine.format
    offered = [graph.engine.format for graph in graphs if graph.listed is not None and graph.listed.precision == kept]
    subjects: list[Subject] = []
    left_out: list[str] = []
    for name in dict.fromkeys([first, *offered]):
        try:
            graph = bundle.choose(graphs, engine=name, precision=kept)
            for threads in _thread_counts():
                predictor = open_predictor(graph, device="auto", threads=threads)
                subjects.append(Subject(name, predictor, golden(graph), images))
        except LitError as error:
            if name == first:  # the default
                raise
            left_out.append(f"{name} is left out: {error}")
    return Candidates(subjects, kept, left_out)


def _thread_counts() -> list[int]:
    """1, 2, 4 and so on, and all cores."""
    cores = usable_cpus()
    return sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})
