"""The protocol over HTTP/1.1: JSON that describes the tensors, followed by their bytes."""

import ssl
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from lit_infer.bench.served.address import Address
from lit_infer.bench.served.client import (
    Credentials,
    ModelInfo,
    RequestInputs,
    ServerInfo,
    ServerReply,
    TensorInfo,
    array_from,
    datatype_and_blob,
    printable,
)
from lit_infer.bench.served.http_connection import LENGTH, HttpAnswer, HttpConnection, Packed
from lit_infer.errors import EngineError, LitError, NotFoundError, UsageError

T = TypeVar("T")


class HttpClient:
    """A server's REST routes."""

    def __init__(self, address: Address, access: Credentials) -> None:
        self.address = address
        self._headers = {"Authorization": f"Bearer {access.key}"} if access.key else {}
        self._tls = _context(access) if address.tls else None
        self._control = self.connect()

    def connect(self) -> HttpConnection:
        """One more connection; it opens when it is first used."""
        return HttpConnection(self.address, self._headers, self._tls)

    def close(self) -> None:
        """Close the connection for requests that are not measured."""
        self._control.close()

    def server(self) -> ServerInfo:
        """`GET /v2`."""
        try:
            found = self._get("/v2", _Server)
        except NotFoundError:
            raise UsageError(
                f"{self.address} is not a server of the Open Inference Protocol v2: it has no /v2"
            ) from None
        return ServerInfo(printable(found.name), printable(found.version))

    def models(self) -> list[str]:
        """`POST /v2/repository/index`."""
        found = self._decoded(self._control.ask("POST", "/v2/repository/index", b"{}").body, list[_Listed])
        return sorted({one.name for one in found if one.state in ("", "READY")})

    def model(self, name: str, version: str) -> ModelInfo:
        """`GET /v2/models/{name}`, and its `/config`."""
        path = _path(name, version)
        found = self._get(path, _Model)
        return ModelInfo(
            name=name,
            version=version,
            platform=printable(found.platform),
            inputs=tuple(one.info() for one in found.inputs),
            outputs=tuple(one.info() for one in found.outputs),
            max_batch=self._max_batch(path),
        )

    def pack(self, model: ModelInfo, rows: RequestInputs) -> Packed:
        """JSON that describes the tensors, followed by their bytes."""
        inputs, blobs = [], []
        for name, array in rows.items():
            datatype, shape, blob = datatype_and_blob(array)
            size = {"binary_data_size": len(blob)}
            inputs.append({"name": name, "datatype": datatype, "shape": shape, "parameters": size})
            blobs.append(blob)
        head = msgspec.json.encode({"inputs": inputs, "parameters": {"binary_data_output": True}})
        path = f"{_path(model.name, model.version)}/infer"
        return Packed(path, b"".join([head, *blobs]), {**self._headers, LENGTH: str(len(head))})

    def unpack(self, answer: HttpAnswer) -> ServerReply:
        """Read an answer of the same form."""
        if answer.header_length is None or answer.header_length > len(answer.body):
            raise EngineError(f"{self.address} did not answer in binary, which lit-bench asks for")
        view = memoryview(answer.body)
        head, blobs = self._decoded(view[: answer.header_length], _Answer), view[answer.header_length :]
        outputs = {}
        for output in head.outputs:
            size = output.binary_size()
            outputs[output.name] = array_from(self.address, output.info(), blobs[:size])
            blobs = blobs[size:]
        return ServerReply(head.model_version, outputs)

    def _max_batch(self, path: str) -> int | None:
        try:
            return self._get(f"{path}/config", _Config).max_batch_size
        except LitError:  # an extension, which not every server has
            return None

    def _get(self, path: str, kind: type[T]) -> T:
        return self._decoded(self._control.ask("GET", path).body, kind)

    def _decoded(self, raw: bytes | memoryview, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise EngineError(f"{self.address} does not speak the Open Inference Protocol v2: {error}") from None


class _Server(msgspec.Struct):
    name: str
    version: str


class _Listed(msgspec.Struct):
    name: str
    state: str = ""


class _Tensor(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] = {}

    def info(self) -> TensorInfo:
        return TensorInfo(self.name, self.datatype, tuple(self.shape))

    def binary_size(self) -> int:
        size = self.parameters.get("binary_data_size")
        return size if isinstance(size, int) and size > 0 else 0


class _Model(msgspec.Struct):
    inputs: list[_Tensor]
    outputs: list[_Tensor]
    platform: str = ""


class _Config(msgspec.Struct):
    max_batch_size: int = 0


class _Answer(msgspec.Struct):
    outputs: list[_Tensor]
    model_version: str = ""


def _path(name: str, version: str) -> str:
    path = f"/v2/models/{quote(name, safe='')}"
    return f"{path}/versions/{quote(version, safe='')}" if version else path


def _context(access: Credentials) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=access.ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca {access.ca}: {error.strerror or error}") from None
