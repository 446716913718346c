"""What is fuzzed: each function takes any bytes, and may raise nothing but the project's own errors."""

import io
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lit_export.front import container
from lit_infer import bundle, graph_source, manifest, npz
from lit_infer.engines import onnx_files
from lit_infer.errors import InputError, LitError
from lit_infer.folder import archives, loading, sources
from lit_infer.folder.sorting import safe_path
from lit_infer.held_file import HeldFile
from lit_infer.images.limits import Limits
from lit_infer.images.pixels import prepare_noted
from lit_infer.images.preprocess import CenterCrop, ExifTranspose, Resize, Step
from lit_infer.rows.audio import AudioFields
from lit_infer.rows.facts import AudioField
from tests.fuzz import edge, requests
from tests.inference.tiny import make_bundle

Harness = Callable[[bytes], None]

_STEPS = (Step(exif_transpose=ExifTranspose()), Step(resize=Resize(size=16)), Step(center_crop=CenterCrop(size=16)))
_LIMITS = Limits(max_bytes=2**16, max_pixels=10**6, max_side=4000)
_MEMBER = 2**16


def checkpoint(data: bytes) -> None:
    """The reader of checkpoints."""
    with suppress(LitError):
        container.read(io.BytesIO(data), where="model.ckpt")


def described(data: bytes) -> None:
    """A manifest, as bytes and as text, read and written again."""
    with suppress(LitError):
        found = manifest.decode(data, where="manifest.json")
        assert manifest.decode(manifest.encode(found), where="again") == found


def opened(data: bytes) -> None:
    """A bundle of which one file is any bytes: the first byte says which."""
    name, content = ("manifest.json", "golden.npz", "model.onnx")[(data or b"\0")[0] % 3], data[1:]
    with tempfile.TemporaryDirectory() as folder:
        made = make_bundle(Path(folder, "bundle"))
        (made / name).write_bytes(content)
        with suppress(LitError):
            for graph in bundle.find(made):
                graph_source.checked(graph.path, graph.listed) if graph.listed else graph_source.lone(graph.path)
        with suppress(LitError, ValueError):
            npz.read(HeldFile(made / name), limit=2**20)
    with suppress(ValueError):
        onnx_files.referred(content)


def image(data: bytes) -> None:
    """An image, for models of one channel and of three."""
    for channels in (1, 3):
        for steps in ((), _STEPS):
            with suppress(InputError):
                prepare_noted(data, steps=steps, channels=channels, limits=_LIMITS)


def recording(data: bytes) -> None:
    """A recording, of which the start counts, or all of it in chunks."""
    for longer in ("start", "chunks"):
        facts = AudioField(rate=8000, samples=400, longer=longer)  # type: ignore[arg-type]
        with suppress(InputError):
            assert AudioFields(facts).prepared(data).shape[1:] == (400,)


def archive(data: bytes) -> None:
    """An archive of each kind, and every member of it."""
    for name in ("a.tar", "a.tar.gz", "a.zip"):
        with suppress(InputError):
            for member in archives.members(io.BytesIO(data), name):
                with suppress(InputError):
                    assert len(member.read(_MEMBER)) <= _MEMBER


def listed(data: bytes) -> None:
    """A list of paths, and what is made of each name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "list.txt")
        path.write_bytes(data)
        items = (item for item in sources.Listed(path).items() if isinstance(item.content, Path))
        for loaded in loading.load(items, max_bytes=_MEMBER):
            parts = Path(safe_path(loaded.item.name)).parts
            assert ".." not in parts
            assert not Path(*parts).is_absolute()


HARNESSES: dict[str, Harness] = {
    "archive": archive,
    "bundle": opened,
    "checkpoint": checkpoint,
    "grpc": requests.message,
    "http": edge.http,
    "image": image,
    "manifest": described,
    "oip": requests.infer,
    "predict": requests.predict,
    "recording": recording,
    "sources": listed,
}
"""By the name of the folder of its seeds."""
