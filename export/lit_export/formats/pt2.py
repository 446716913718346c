"""`.pt2`, by torch.export: runs in torch without the training code."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from lit_export import suppression
from lit_export.formats.hushed import hushed
from lit_export.formats.job import WriteJob, Written
from lit_export.formats.plain_attention import plain_attention
from lit_export.formats.size_guards import doubts
from lit_export.formats.symbolic_len import symbolic_len
from lit_export.tasks import in_precision
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.manifest import encode

_SOURCE = ("stack_trace", "source_fn_stack", "torch_fn", "nn_module_stack", "from_node")


def write(job: WriteJob, path: Path) -> Written:
    """Export with the target's dynamic sides, and save without the author's paths and code lines."""
    program = exported(in_precision(job.target.module, job.precision), job)
    program._example_inputs = None  # they would be pickled into the file
    with hushed():
        torch.export.save(program, path, extra_files={MANIFEST_KEY: encode(job.described).decode()})
    found = doubts(program, job.target.dynamic)
    return Written(path, exporter=f"torch.export {torch.__version__}", doubts=found)


def exported(module: nn.Module, job: WriteJob) -> Any:
    """An ExportedProgram without traces of source."""
    suppression.refuse(module)
    sides = tuple(dict.fromkeys(axes, torch.export.Dim.AUTO) or None for axes in job.target.dynamic)
    shapes = sides if job.target.takes_one_image else (sides,)  # a module that takes *tensors has them in a tuple
    with hushed(), symbolic_len(), plain_attention(), torch.no_grad():
        program = torch.export.export(module, job.examples(), dynamic_shapes=shapes, strict=False)
    for part in program.graph_module.modules():
        for node in part.graph.nodes if hasattr(part, "graph") else ():
            for name in _SOURCE:
                node.meta.pop(name, None)
    return program
