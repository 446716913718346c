"""A TensorRT engine, built from the proven ONNX file for the GPU of this machine."""

from pathlib import Path
from typing import Any

import torch

from lit_export.formats.job import WriteJob, Written
from lit_infer.engines.tensorrt import pack
from lit_infer.errors import EngineError, GateError, require
from lit_infer.manifest import encode

_LARGEST_BATCH = 32


def write(job: WriteJob, path: Path) -> Written:
    """Build. Dynamic sides get a range: the batch from 1 to 32, others what the example has."""
    tensorrt = require("tensorrt", extra="export,tensorrt", purpose="Exporting to tensorrt")
    if not torch.cuda.is_available():
        raise EngineError("tensorrt builds for the GPU it runs on, and there is none here. Export to onnx instead")
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = tensorrt.OnnxParser(network, logger)
    source = job.onnx("fp32")
    if not parser.parse_from_file(str(source.path)):
        raise GateError(f"TensorRT cannot read the ONNX graph: {parser.get_error(0)}")
    config = builder.create_builder_config()
    config.clear_flag(tensorrt.BuilderFlag.TF32)  # on by default, and not what float32 means
    if job.precision == "fp16":
        config.set_flag(tensorrt.BuilderFlag.FP16)
    config.add_optimization_profile(_profile(builder, job))
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise GateError("TensorRT could not build an engine for this graph")
    path.write_bytes(pack(encode(job.described).decode(), bytes(engine)))
    return Written(path, exporter=f"tensorrt {tensorrt.__version__} from ONNX ({source.exporter})")


def _profile(builder: Any, job: WriteJob) -> Any:
    profile = builder.create_optimization_profile()
    for tensor, example in zip(job.target.inputs, job.target.example, strict=True):
        sizes = [
            tuple(
                batch if side == "batch" else length for side, length in zip(tensor.shape, example.shape, strict=True)
            )
            for batch in (1, 8, _LARGEST_BATCH)
        ]
        profile.set_shape(tensor.name, *sizes)
    return profile
