"""What `lit-bench tune` tries: every engine that has a graph of a precision that is allowed, on several threads."""

from collections.abc import Sequence
from dataclasses import dataclass

from lit_infer import bundle
from lit_infer.bench.inputs import golden
from lit_infer.bench.row_file import MeasuredRows, RowFile
from lit_infer.bench.subjects import Subject, check_images_taken, label
from lit_infer.bench.tuning.aims import Tried
from lit_infer.errors import LitError, UsageError
from lit_infer.hardware import usable_cpus
from lit_infer.images import ImageInput
from lit_infer.manifest import Manifest, Precision
from lit_infer.predictor import open_predictor
from lit_infer.settings import TunedSettings


@dataclass(frozen=True)
class Candidates:
    """What is tried: every engine that has a graph of these precisions, on several numbers of threads."""

    subjects: list[Subject]
    """The engine of the first one is the default, which `load` chooses by itself."""
    graphs: dict[str, tuple[str, Precision]]
    """Engine and precision of each subject, by its name."""
    left_out: list[str]

    @property
    def manifest(self) -> Manifest:
        """The model's manifest."""
        return self.subjects[0].predictor.manifest

    def settings(self, best: Tried) -> TunedSettings:
        """What was tried, as the settings that `load` will use."""
        engine, precision = self.graphs[best.engine]
        return TunedSettings(batch_size=best.batch_size, threads=best.threads, engine=engine, precision=precision)


def open_candidates(
    model: str, *, images: Sequence[ImageInput] = (), data: RowFile | None = None, precision: str = "auto"
) -> Candidates:
    """Open what could be chosen: of the default's precision, and of the one that `auto:int8` knowingly allows.

    Another precision gives other answers, which no speed excuses by itself.
    """
    graphs = bundle.find(model)
    if graphs[0].manifest is None:
        raise UsageError(f"{model} is a single graph file, and settings are kept only for bundles: tune the bundle")
    allowed = bundle.precisions(precision)
    default = _default(graphs, precision)
    if precision == "auto":
        allowed = (_precision(default),)
    offered = [default, *(graph for graph in graphs if _precision(graph) in allowed and graph.path != default.path)]
    subjects: list[Subject] = []
    left_out: list[str] = []
    rows: MeasuredRows | None = None
    for graph in offered:
        try:
            for threads in _thread_counts():
                predictor = open_predictor(graph, device="auto", threads=threads)
                if data is not None and rows is None:
                    rows = data.read(predictor)
                check_images_taken(predictor, images)
                subjects.append(Subject(label(graph), predictor, golden(graph), images, rows=rows))
        except LitError as error:
            if graph is default:
                raise
            left_out.append(f"{label(graph)} is left out: {error}")
    return Candidates(subjects, {label(one): (one.engine.format, _precision(one)) for one in offered}, left_out)


def _default(graphs: list[bundle.GraphFile], precision: str) -> bundle.GraphFile:
    """What `load` chooses without a wish, if the wish allows it: what is else allowed must be quicker than that."""
    usual = bundle.choose(graphs)
    return usual if _precision(usual) in bundle.precisions(precision) else bundle.choose(graphs, precision=precision)


def _precision(graph: bundle.GraphFile) -> Precision:
    assert graph.listed is not None  # noqa: S101 - a bundle's graph is listed
    return graph.listed.precision


def _thread_counts() -> list[int]:
    """1, 2, 4 and so on, and all cores."""
    cores = usable_cpus()
    return sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})
