"""Other servers, each in an environment of its own, over the same graph: `with started("mosec", graph) as peer`.

| peer | how it is set up |
|---|---|
| mosec | two processes that batch up to 8 requests |
| litserve | two workers that batch up to 8 requests; the image is a form's file, since it takes no bare bytes |
| triton | Triton's own binary (out of the nvidia-pytriton wheel), python backend, two instances, dynamic batching |

All of them decode with simplejpeg, resize with Pillow, and run the graph on one thread in each of two processes, as
our own server's two threads do. Which settings were tried: benchmarks/README.md.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from benchmarks.peers import environment

HERE = Path(__file__).parent
NAMES = ("mosec", "litserve", "triton")
_PATIENCE = 60.0


@dataclass(frozen=True)
class Peer:
    """A server that runs, and what a request to it is."""

    name: str
    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def prepare() -> None:
    """Make the environments, so that nothing is installed while something is measured."""
    for name in NAMES:
        environment(f"serving/{name}")


@contextmanager
def started(name: str, graph: Path, jpeg: bytes, here: Path, *, port: int) -> Iterator[Peer]:
    """A peer on a port, ready, until the block ends."""
    make = {"mosec": _mosec, "litserve": _litserve, "triton": _triton}[name]
    line, peer = make(graph, jpeg, here, port)
    variables = {**os.environ, "LIT_PEER_GRAPH": str(graph), "PYTHONPATH": str(HERE)}
    with (here / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log, env=variables, cwd=here, start_new_session=True)  # noqa: S603
    try:
        _wait(peer, process, here / f"{name}.log")
        yield peer
    finally:
        _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """It and what it has started."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, sent)
            process.wait(10)


def _wait(peer: Peer, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until it answers."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.post(peer.url, content=peer.body, headers=peer.headers).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"{peer.name} does not answer:\n{log.read_text(errors='replace')[-2000:]}")


def _mosec(_: Path, jpeg: bytes, __: Path, port: int) -> tuple[list[str], Peer]:
    line = [str(environment("serving/mosec")), str(HERE / "mosec_server.py"), "--port", str(port)]
    return line, Peer("mosec", f"http://127.0.0.1:{port}/inference", jpeg)


def _litserve(_: Path, jpeg: bytes, __: Path, port: int) -> tuple[list[str], Peer]:
    line = [str(environment("serving/litserve")), str(HERE / "litserve_server.py"), str(port)]
    edge = b"lit-deploy-peer"
    head = b'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    body = b"--" + edge + b"\r\n" + head + jpeg + b"\r\n--" + edge + b"--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary={edge.decode()}"}
    return line, Peer("litserve", f"http://127.0.0.1:{port}/predict", body, headers)


def _triton(_: Path, jpeg: bytes, here: Path, port: int) -> tuple[list[str], Peer]:
    python = environment("serving/triton")
    (server,) = (python.parents[1] / "lib").glob("python*/site-packages/pytriton/tritonserver")
    models = here / "triton-models"
    (models / "peer/1").mkdir(parents=True)
    (models / "peer/config.pbtxt").write_text((HERE / "triton_config.pbtxt").read_text())
    shutil.copy(HERE / "triton_model.py", models / "peer/1/model.py")
    backends = here / "triton-backends"  # Triton looks for the stub of its interpreter beside the backend
    shutil.copytree(server / "backends", backends)
    shutil.copy(server / "python_backend_stubs/3.11/triton_python_backend_stub", backends / "python")
    packages = next((python.parents[1] / "lib").glob("python*/site-packages"))
    line = [
        "env",
        f"LIT_PEER_PATH={packages}:{HERE}",
        f"LD_LIBRARY_PATH={packages}/nvidia_pytriton.libs",
        str(server / "bin/tritonserver"),
    ]
    line += [f"--model-repository={models}", f"--backend-directory={backends}", f"--http-port={port}"]
    line += ["--allow-grpc=false", "--allow-metrics=false", "--log-verbose=0"]
    blob = len(jpeg).to_bytes(4, "little") + jpeg
    header = (
        b'{"inputs":[{"name":"image","datatype":"BYTES","shape":[1,1],"parameters":{"binary_data_size":%d}}]}'
        % len(blob)
    )
    headers = {"Inference-Header-Content-Length": str(len(header))}
    return line, Peer("triton", f"http://127.0.0.1:{port}/v2/models/peer/infer", header + blob, headers)
