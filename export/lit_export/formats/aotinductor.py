"""A native library for this kind of host, compiled by AOTInductor from the exported program."""

import shutil
from pathlib import Path

import torch

from lit_export.formats.hushed import hushed
from lit_export.formats.job import WriteJob, Written
from lit_export.formats.pt2 import exported
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.errors import UsageError
from lit_infer.manifest import encode


def write(job: WriteJob, path: Path) -> Written:
    """Compile; takes a minute or so. The file holds machine code, opened only where that is allowed."""
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        raise UsageError("aotinductor needs a C++ compiler, and there is none here. Install g++, or use pt2")
    bare = path.with_name("bare.pt2")
    try:
        with hushed(), torch.no_grad():
            torch._inductor.aoti_compile_and_package(exported(job.target.module, job), package_path=str(bare))
        _describe(bare, path, job)
    finally:
        bare.unlink(missing_ok=True)
    return Written(path, exporter=f"torch AOTInductor {torch.__version__}")


def _describe(bare: Path, path: Path, job: WriteJob) -> None:
    """Copy the package with the manifest beside its records."""
    reader = torch._C.PyTorchFileReader(str(bare))
    writer = torch._C.PyTorchFileWriter(str(path))
    for name in reader.get_all_records():
        if name not in (".data/version", ".data/serialization_id", "byteorder"):  # the writer makes these itself
            data = reader.get_record(name)
            writer.write_record(name, data, len(data))
    embedded = encode(job.described)
    writer.write_record(f"extra/{MANIFEST_KEY}", embedded, len(embedded))
    writer.write_end_of_file()
