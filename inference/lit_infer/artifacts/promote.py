"""Move an alias to a version, but only to one that has earned it."""

import re
from dataclasses import dataclass
from pathlib import Path

from lit_infer import manifest
from lit_infer.artifacts import scores
from lit_infer.artifacts.reference import Reference
from lit_infer.artifacts.registry import Registry, Version
from lit_infer.errors import GateError, NotFoundError, UsageError
from lit_infer.manifest import Graph, Manifest, Score

_NOT_TRIED = re.compile(r"is not installed\. Run: pip install \"lit-deploy\[")


@dataclass(frozen=True)
class Promotion:
    """The result of a promotion; a refused one is a GateError instead."""

    version: Version
    before: Version | None
    """What the alias meant until now; None where it is new."""
    score: Score | None

    @property
    def is_new(self) -> bool:
        """Whether the alias has moved: it may have meant this version already."""
        return self.before is None or self.before.reference != self.version.reference


def promote(registry: Registry, reference: Reference, *, alias: str, if_better: str | None = None) -> Promotion:
    """Make an alias mean a version whose gates passed and, for `if_better`, whose score beats the present holder's.

    A bundle's gates are those of its manifest: at least one graph is ok and none failed, apart from those that were not
    tried because their engine was not installed. A checkpoint has none, so it must have a score. The files are fetched,
    and thereby verified, first.
    """
    version = registry.resolve(reference)
    holder = _holder(registry, reference.at(alias))
    bundle = _manifest(registry.fetch(version.reference))
    score = bundle.source.score or scores.recorded(version) if bundle else scores.recorded(version)
    _check_gates(version, bundle, score)
    if holder is not None and holder.reference == version.reference:
        return Promotion(version, holder, score)
    if if_better is not None:
        _check_metric(version.reference, score, if_better)
        if holder is not None:
            _check_better(registry, version, score, holder, if_better)
    return Promotion(registry.move_alias(alias, version.reference), holder, score)


def _holder(registry: Registry, reference: Reference) -> Version | None:
    try:
        return registry.resolve(reference)
    except NotFoundError:
        return None


def _manifest(folder: Path) -> Manifest | None:
    return manifest.read(folder) if (folder / manifest.FILE_NAME).is_file() else None


def _check_gates(version: Version, bundle: Manifest | None, score: Score | None) -> None:
    if bundle is None:
        if score is None:
            raise GateError(
                f"{version.reference} is not a bundle and has no score: nothing shows that it is good. "
                f"Export it and promote the bundle: lit-export onnx --artifact {version.reference}"
            )
        return
    failed = [f"{graph.format} ({graph.reason})" for graph in bundle.graphs if _has_failed(graph)]
    if failed:
        raise GateError(f"{version.reference} is not promoted: these graphs failed their checks: {', '.join(failed)}")
    if not bundle.ok_graphs():
        raise GateError(f"{version.reference} is not promoted: none of its graphs has passed its checks")


def _has_failed(graph: Graph) -> bool:
    """Whether it was tried. Older bundles list formats as failed whose packages were missing."""
    return graph.status == "failed" and not _NOT_TRIED.search(graph.reason or "")


def _check_metric(reference: Reference, score: Score | None, metric: str) -> Score:
    if score is None:
        raise UsageError(f"{reference} has no score, so it cannot be compared by {metric}; promote without --if-better")
    if score.monitor != metric:
        raise UsageError(f"{reference} is scored by {score.monitor}, not by {metric}: --if-better {score.monitor}")
    return score


def _check_better(registry: Registry, version: Version, score: Score | None, holder: Version, metric: str) -> None:
    ours = _check_metric(version.reference, score, metric)
    theirs = _check_metric(holder.reference, _score(registry, holder), metric)
    if ours.mode != theirs.mode:
        raise UsageError(
            f"{metric} has mode {ours.mode} for {version.reference} and {theirs.mode} for {holder.reference}: "
            "they cannot be compared; promote without --if-better"
        )
    if not scores.is_better(ours, theirs):
        lower = "lower" if ours.mode == "min" else "higher"
        raise GateError(
            f"{version.reference} is not promoted: its {scores.text(ours)} is not better than {theirs.value:.6g} "
            f"of the present {holder.reference.alias} ({lower} is better)"
        )


def _score(registry: Registry, version: Version) -> Score | None:
    """From the metadata where it is complete, so that a holder whose files are damaged can be replaced."""
    if found := scores.recorded(version):
        return found
    bundle = _manifest(registry.fetch(version.reference))
    return bundle.source.score if bundle else None
