"""OpenVINO IR, from the proven ONNX file: `model.xml` and its weights, `model.bin`."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lit_export.formats.job import WriteJob, Written
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.engines.openvino import PRECISION_KEY
from lit_infer.errors import require
from lit_infer.manifest import encode


def write(job: WriteJob, path: Path) -> Written:
    """Convert. int8 comes from the quantized ONNX file, the others from the float32 one."""
    openvino = require("openvino", extra="export,openvino", purpose="Exporting to openvino")
    source = job.onnx("int8" if job.precision == "int8" else "fp32")
    with _root_logger_kept():
        model = openvino.convert_model(source.path)
    for port, name in zip((*model.inputs, *model.outputs), (*job.input_names, *job.output_names), strict=True):
        port.get_tensor().set_names({name})
    for index, node in enumerate(model.get_ordered_ops()):  # names by default count over the life of the process
        node.set_friendly_name(f"{node.get_type_name()}_{index}")
    model.set_rt_info(encode(job.described).decode(), MANIFEST_KEY)
    model.set_rt_info(job.precision, PRECISION_KEY)
    openvino.save_model(model, path, compress_to_fp16=job.precision == "fp16")
    return Written(
        path,
        exporter=f"openvino {openvino.__version__.partition('-')[0]} from ONNX ({source.exporter})",
        companions=(path.with_suffix(".bin"),),
        quantization=source.quantization,
    )


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """The converter changes the logger of the whole process, and leaves it so where it fails."""
    root = logging.getLogger()
    level, handlers, filters = root.level, root.handlers[:], root.filters[:]
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:], root.filters[:] = handlers, filters
