"""A graph's file and those that belong to it: opened once, checked, and then read by an engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lit_infer.errors import ArtifactError
from lit_infer.held_file import HeldFile
from lit_infer.manifest import Graph


@dataclass(frozen=True)
class GraphSource:
    """What an engine opens."""

    path: Path
    """For messages: nothing is opened under this name again."""
    file: HeldFile
    listed: Mapping[str, HeldFile] | None = None
    """The companions that a manifest lists, by name. None: a file on its own, which takes those that lie beside it."""

    def companion(self, name: str) -> HeldFile:
        """A file that the graph refers to. Only listed ones may be, and only in the graph's own folder."""
        if not _is_plain(name):
            raise ArtifactError(f"{self.path} refers to {name!r}, outside its folder. Export the model again")
        if self.listed is None:
            return held(self.path.with_name(name))
        if name not in self.listed:
            raise ArtifactError(f"{self.path} refers to {name}, which its manifest does not list. Export it again")
        return self.listed[name]


def lone(path: Path) -> GraphSource:
    """A graph file on its own."""
    return GraphSource(path, held(path))


def checked(path: Path, listed: Graph) -> GraphSource:
    """The files of a bundle's graph. Raises ArtifactError unless their sizes and digests are those of the manifest."""
    companions = {name: held(_beside(path, name)) for name in listed.companions}
    everything = {path.name: held(path), **companions}
    size = sum(file.size for file in everything.values())
    if listed.bytes is not None and size != listed.bytes:  # before anything is hashed: it might be enormous
        raise ArtifactError(
            f"{path} has {size:,} bytes with its companions, its manifest lists {listed.bytes:,}: "
            "it is not the file that its manifest describes: export or fetch it again"
        )
    for name, digest in {path.name: listed.sha256, **listed.companions}.items():
        if everything[name].sha256() != digest:
            raise ArtifactError(
                f"{everything[name].path} is not the file that its manifest describes: export or fetch it again"
            )
    return GraphSource(path, everything[path.name], companions)


def held(path: Path) -> HeldFile:
    """A file of a bundle, open. Raises ArtifactError where it cannot be."""
    try:
        return HeldFile(path)
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing. Export or fetch the bundle again") from None
    except ArtifactError:
        raise
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from None


def _beside(path: Path, name: str) -> Path:
    if not _is_plain(name) or name == path.name:
        raise ArtifactError(f"{path}: its manifest lists {name!r} as a companion. Export the model again")
    return path.with_name(name)


def _is_plain(name: str) -> bool:
    """Whether a name means a file in the same folder."""
    return name not in ("", ".", "..") and not {"/", "\\", "\0"} & set(name)
