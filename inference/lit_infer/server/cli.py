"""`lit-serve MODEL...`: serve bundles over HTTP and gRPC."""

import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lit_infer import console, limit_options, streams
from lit_infer.errors import UsageError, require

if TYPE_CHECKING:
    from lit_infer.server.listeners import Listeners
    from lit_infer.server.models.repository import Repository
    from lit_infer.server.models.sources import ModelSource
    from lit_infer.server.settings import Settings
    from lit_infer.server.telemetry.access_log import AccessLog
    from lit_infer.server.telemetry.tracing import Tracing

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

_EXAMPLES = """Examples:

\b
  lit-serve artifacts/bundles/digits-cnn-v0
  curl --data-binary @cat.jpg localhost:8000/predict
  lit-serve digits=local/digits/digits-cnn-export:production --watch 30s
  lit-serve digits=acme/digits/cnn:production --canary acme/digits/cnn:new=10%
  lit-serve a=first-bundle b=second-bundle --host 0.0.0.0 --api-key-file keys
  lit-serve containerize artifacts/bundles/digits-cnn-v0 --out image/
"""

_MODELS = "Bundle, graph file or reference; name=MODEL names it. Default: $LIT_MODEL, or the newest bundle."
_HOST = "Address to listen on; 0.0.0.0 for all."
_UDS = "Listen for HTTP on this unix socket instead of --host and --port."
_ROOT_PATH = "The path below which a proxy offers the server; requests work with and without it."
_CORS = "Let pages of this origin send requests, such as https://app.example.org; * for all. May be repeated."
_GRPC_PORT = "0: any free port. Default: the one after --port."
_DELAY = "How long a batch waits to fill up, such as 2ms; 0: not at all."
_PROCESSES = (
    "Run each model in N processes of its own, so that a crash does not take the server down; 0: in threads. "
    "Default: what lit-bench tune --serve found, else 0."
)
_IMAGE_LIMIT = "How long preparing one image may take; then it fails alone."
_HANG_LIMIT = "How long the engine may take for a batch; then it is replaced, like one that has crashed."
_OPEN_LIMIT = "Refuse a model that takes longer or more memory to be opened, such as 60s,4G: tried in a process first."
_WATCH = "How often to check whether aliases have moved, such as 30s; the server switches to the new version."
_CANARY = (
    "Answer this share of the requests without a version with another version; NAME=MODEL=10% with several models."
)
_TRACE = "Send OpenTelemetry traces as the OTEL_* variables say; setting those is enough."
_KEYS = "Keys that clients must send, one per line. Default: $LIT_API_KEY."
_GRPC = ("grpc", "grpc_health", "grpc_reflection", "google.protobuf")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "": 1.0}


@app.command(epilog=_EXAMPLES)
def serve(
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help=_MODELS)] = None,
    host: Annotated[str, typer.Option(help=_HOST)] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8000,
    uds: Annotated[Path | None, typer.Option(metavar="PATH", help=_UDS)] = None,
    root_path: Annotated[str, typer.Option(metavar="/PREFIX", help=_ROOT_PATH)] = "",
    cors_origin: Annotated[list[str] | None, typer.Option(metavar="ORIGIN", help=_CORS)] = None,
    grpc_port: Annotated[int | None, typer.Option(min=0, max=65535, help=_GRPC_PORT)] = None,
    no_grpc: Annotated[bool, typer.Option("--no-grpc", help="HTTP only.")] = False,
    max_batch: Annotated[str, typer.Option(metavar="N|auto", help="The most rows of one run of the graph.")] = "auto",
    max_delay: Annotated[str, typer.Option(metavar="TIME", help=_DELAY)] = "0",
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="How long a request may wait for its inference to begin.")
    ] = "10s",
    max_queue: Annotated[int, typer.Option(min=1, help="Items that may wait; further ones get 503 at once.")] = 1024,
    max_body: Annotated[int, typer.Option(min=1, metavar="MIB", help="The largest request body, in MiB.")] = 16,
    max_connections: Annotated[int, typer.Option(min=1, help="Connections that may be open at once.")] = 1024,
    max_bytes: limit_options.MaxBytes = None,
    max_pixels: limit_options.MaxPixels = None,
    max_side: limit_options.MaxSide = None,
    max_scans: limit_options.MaxScans = None,
    device: Annotated[str, typer.Option(help=console.DEVICE_HELP)] = "auto",
    engine: Annotated[str, typer.Option(help="auto, or the format to run, such as onnx.")] = "auto",
    precision: Annotated[str, typer.Option(help=console.PRECISION_HELP)] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use. Default: all.")] = None,
    processes: Annotated[int | None, typer.Option(min=0, metavar="N", help=_PROCESSES)] = None,
    image_limit: Annotated[str, typer.Option(metavar="TIME", help=_IMAGE_LIMIT)] = "10s",
    hang_limit: Annotated[str, typer.Option(metavar="TIME", help=_HANG_LIMIT)] = "60s",
    open_limit_: Annotated[str | None, typer.Option("--open-limit", metavar="TIME[,SIZE]", help=_OPEN_LIMIT)] = None,
    watch: Annotated[str | None, typer.Option(metavar="TIME", help=_WATCH)] = None,
    canary: Annotated[list[str] | None, typer.Option(metavar="MODEL=10%", help=_CANARY)] = None,
    model_control: Annotated[
        Literal["none", "explicit"], typer.Option(help="explicit: clients may load and unload models.")
    ] = "none",
    api_key_file: Annotated[Path | None, typer.Option(metavar="FILE", help=_KEYS)] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="TLS certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key, PEM.")] = None,
    trace: Annotated[bool, typer.Option("--trace", help=_TRACE)] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No access log.")] = False,
    _: Annotated[
        bool, typer.Option("--version", callback=console.show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Serve models over the Open Inference Protocol v2, as clients of Triton and KServe expect.

    Every model is opened, checked against its golden answers and warmed up before the first request. On SIGTERM
    and Ctrl-C the server answers the requests it has accepted, then exits with 0.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # whoever reads the log may leave; the server stays
    streams.wait_for_nobody()  # or stop reading
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # read at import; its core's lines do not fit our log's format
    for module in ("starlette", "uvicorn", "httptools", "prometheus_client", *(() if no_grpc else _GRPC)):
        require(module, extra="serve", purpose="lit-serve")
    from lit_infer.server import auth
    from lit_infer.server.listeners import open_listeners, plain_host, read_tls
    from lit_infer.server.models import canary as canaries
    from lit_infer.server.models import hanging, memory, open_limit
    from lit_infer.server.models import watch as watching
    from lit_infer.server.models.hanging import HangLimits
    from lit_infer.server.models.opening import Opening
    from lit_infer.server.models.repository import Repository
    from lit_infer.server.settings import MIB, Settings
    from lit_infer.server.telemetry import log_setup, trace_setup
    from lit_infer.server.telemetry.access_log import AccessLog

    memory.return_large_blocks()
    settings = Settings(
        max_body=max_body * MIB,
        max_connections=max_connections,
        timeout=seconds(timeout, "--timeout"),
        keys=auth.read_keys(api_key_file),
        root_path=root_path,
        cors_origins=tuple(cors_origin or ()),
        explicit_control=model_control == "explicit",
    )
    opening = Opening(
        device=device,
        engine=engine,
        precision=precision,
        threads=threads,
        max_batch=batch_size(max_batch),
        max_delay=seconds(max_delay, "--max-delay"),
        max_items=max_queue,
        processes=processes,
        limits=limit_options.limits(max_bytes=max_bytes, max_pixels=max_pixels, max_side=max_side, max_scans=max_scans),
        open_limit=None if open_limit_ is None else open_limit.parse(open_limit_),
        hang_limits=HangLimits(seconds(image_limit, "--image-limit"), seconds(hang_limit, "--hang-limit")),
    )
    every = None if watch is None else seconds(watch, "--watch")
    tls, second_port = read_tls(tls_cert, tls_key), _second_port(port, grpc_port, no_grpc=no_grpc)
    asked = _sources(models, canary)
    if every is not None and not any(source.moves for source in asked):
        raise UsageError(
            "--watch needs a model referred to by an alias, such as local/digits/digits-cnn-export:production"
        )
    if uds is None and plain_host(host) not in _LOOPBACK and not settings.keys:
        console.note(f"note: no API key is required, so anyone who can reach {host} is served. See --api-key-file")
    log_setup.start(console.err)
    tracing = trace_setup.start(asked=trace)
    listeners = open_listeners(host, port, second_port, tls=tls, uds=uds)
    try:
        repository = Repository(asked, opening)
    except BaseException:
        listeners.remove()
        raise
    try:
        for slot in repository.slots:
            console.note(f"{slot.name} version {slot.version} is ready: {canaries.describe(slot.source)}")
        if every is not None:
            watching.start(repository, every=every)
        _serve(repository, settings, listeners, access=None if quiet else AccessLog(), tracing=tracing)
    finally:
        listeners.remove()
        repository.close()
        if tracing is not None:
            tracing.close()
    hanging.end_process_if_needed()


def _sources(models: list[str] | None, canary: list[str] | None) -> "tuple[ModelSource, ...]":
    from lit_infer import bundle
    from lit_infer.server.models import canary as canaries
    from lit_infer.server.models import sources

    asked = sources.parse(models or [bundle.default_model()])
    return asked + canaries.parse(canary or (), asked)


def _serve(
    repository: "Repository",
    settings: "Settings",
    listeners: "Listeners",
    *,
    access: "AccessLog | None",
    tracing: "Tracing | None",
) -> None:
    """Serve until a signal arrives."""
    from lit_infer.server import run
    from lit_infer.server.app import create_app
    from lit_infer.server.models.metrics import Metrics

    metrics = Metrics()
    service = create_app(repository, settings, access=access, metrics=metrics, tracing=tracing)
    grpc = None
    if listeners.grpc is not None:
        from lit_infer.server.grpc.server import create_server

        grpc = create_server(repository, settings, listeners, access=access, metrics=metrics, tracing=tracing)
    try:
        run.serve(
            service,
            repository,
            settings,
            listeners,
            grpc=grpc,
            started=lambda: _say_started(listeners, _body(repository)),
        )
    finally:
        if access is not None:
            access.flush()


def _second_port(port: int, grpc_port: int | None, *, no_grpc: bool) -> int | None:
    if no_grpc and grpc_port is not None:
        raise UsageError("--no-grpc and --grpc-port contradict each other: leave one of them out")
    if no_grpc:
        return None
    if grpc_port is not None:
        return grpc_port
    return port + 1 if port else 0


def _body(repository: "Repository") -> str:
    """How curl sends what the first model takes."""
    served = repository.slots[0].served
    if served is not None and (names := served.manifest.image_names):
        return " ".join(f"-F {name}=@IMAGE" for name in names)
    if served is None or served.manifest.spec.takes_images:
        return "--data-binary @IMAGE"
    return "--data-binary @RECORDING" if served.manifest.spec.has_audio else "--json @ROW.json"


def _say_started(listeners: "Listeners", body: str) -> None:
    where = listeners.http_address
    if listeners.grpc is not None:
        console.note(f"serving gRPC on {listeners.grpc_address}")
    console.note(f"serving on {where}")
    if listeners.path is not None:
        console.note(f"next: curl {body} --unix-socket {listeners.path} http://localhost/predict")
    else:
        console.note(f"next: curl {body} {where}/predict   or open {where}/ in a browser")


def seconds(text: str, option: str) -> float:
    """Parse a time such as `30s`, `2ms`, `500us`, `5m`, or plain seconds. Raises UsageError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m|)", text.strip())
    if not found:
        raise UsageError(f"{option} {text!r} is not a time: write 2ms, 30s or 5m")
    return float(found[1]) * _UNITS[found[2]]


def batch_size(text: str) -> int | None:
    """Parse `auto` (None) or a number. Raises UsageError."""
    if text == "auto":
        return None
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise UsageError(f"--max-batch {text!r} is neither auto nor a number from 1 to 9999")
    return int(text)


def main() -> None:
    """The console script. A folder called containerize is given as ./containerize."""
    if sys.argv[1:2] == ["containerize"]:
        from lit_infer.deploy.cli import app as containerize_app

        sys.argv[:2] = [f"{sys.argv[0]} containerize"]
        console.run(containerize_app)
    else:
        console.run(app)
