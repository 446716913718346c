"""TorchScript by trace. Legacy: torch.jit is deprecated, and `pt2` its successor."""

import io
import re
from pathlib import Path

import torch
from lightning.pytorch.core.module import _jit_is_scripting

from lit_export import suppression
from lit_export.formats.hushed import hushed
from lit_export.formats.job import WriteJob, Written
from lit_export.formats.plain_attention import plain_attention
from lit_export.formats.symbolic_len import symbolic_len
from lit_export.tasks import in_precision
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.manifest import encode

_MANGLED = re.compile(rb"___torch_mangle_(\d+)")


def write(job: WriteJob, path: Path) -> Written:
    """Trace, freeze, and save without the debug records."""
    job.require_exercised()
    suppression.refuse(job.target.module)
    module = in_precision(job.target.module, job.precision)
    # Tracing looks at every property of a LightningModule, and `trainer` raises outside this context.
    with _jit_is_scripting(), hushed(), symbolic_len(), plain_attention(), torch.no_grad():
        traced = torch.jit.freeze(torch.jit.trace(module, job.examples(), check_trace=False))  # type: ignore[no-untyped-call]
        buffer = io.BytesIO()
        torch.jit.save(traced, buffer, _extra_files={MANIFEST_KEY: encode(job.described).decode()})
    _copy_without_source(buffer, path)
    return Written(path, exporter=f"torch.jit.trace {torch.__version__}", doubts=job.doubts())


def _copy_without_source(archive: io.BytesIO, path: Path) -> None:
    """Rewrite a TorchScript archive without its debug records, which hold the author's paths and code lines.

    The classes' names are numbered again from 0: torch counts them over the life of the process, so that the second
    export of the same module would be another file. PyTorch's own reader and writer keep the alignment that its
    loader expects.
    """
    archive.seek(0)
    reader = torch._C.PyTorchFileReader(archive)
    writer = torch._C.PyTorchFileWriter(str(path))
    numbers: dict[bytes, bytes] = {}

    def renumbered(found: re.Match[bytes]) -> bytes:
        return b"___torch_mangle_%s" % numbers.setdefault(found[1], b"%d" % len(numbers))

    for name in reader.get_all_records():
        if name.endswith(".debug_pkl") or name in ("version", ".data/serialization_id"):
            continue  # the writer makes the last two itself
        data = reader.get_record(name)
        if name.endswith((".py", ".pkl")):
            data = _MANGLED.sub(renumbered, data)
        writer.write_record(_MANGLED.sub(renumbered, name.encode()).decode(), data, len(data))
    writer.write_end_of_file()
