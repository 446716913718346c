"""What the servers of these tests serve, and where."""

from pathlib import Path

import httpx
import msgspec
import numpy as np

from lit_infer import manifest
from tests.inference.tiny import listed, rewrite
from tests.support.server.process import Server
from tests.support.server.proven import expected, make_proven

KEY = "a secret"
WAIT_S = 0.05


def url_of(server: Server, protocol: str) -> str:
    """Where the server speaks a protocol."""
    return server.url if protocol == "http" else f"grpc://{server.grpc}"


def counted(server: Server) -> int:
    """Images that `colours` has answered for."""
    (stats,) = httpx.get(f"{server.url}/v2/models/colours/stats").json()["model_stats"]
    return int(stats["inference_count"])


def make_other(folder: Path) -> Path:
    """A proven bundle with other weights: red and blue are exchanged."""
    import onnx
    from onnx import numpy_helper

    path = make_proven(folder, name="other") / "model.onnx"
    model = onnx.load(path)
    (weights,) = [tensor for tensor in model.graph.initializer if tensor.name == "weights"]
    weights.CopyFrom(numpy_helper.from_array(np.eye(3, dtype=np.float32)[::-1] / 64, "weights"))
    onnx.save(model, path)
    with np.load(folder / "golden.npz") as golden:
        images = golden["images"]
    np.savez(folder / "golden.npz", images=images, probabilities=expected(images)[:, ::-1])
    (graph,) = manifest.read(folder).graphs
    return rewrite(folder, graphs=(msgspec.structs.replace(listed(path, "onnx"), parity=graph.parity),))
