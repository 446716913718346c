"""The protocol over gRPC, by grpcio: a channel with its own connection for each thread, without Nagle's delay."""

import os
import time
from typing import TYPE_CHECKING, Any

from lit_infer.bench.served.address import Address
from lit_infer.bench.served.client import (
    IDLE_S,
    TIMEOUT_S,
    Credentials,
    ModelInfo,
    RequestInputs,
    ServerInfo,
    ServerReply,
    TensorInfo,
    array_from,
    datatype_and_blob,
    printable,
    refusal,
)
from lit_infer.errors import EngineError, LitError, UsageError, require

if TYPE_CHECKING:
    import grpc

_SERVICE = "/inference.GRPCInferenceService/"
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # otherwise all channels to a server share one connection
    ("grpc.max_receive_message_length", 2**30),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
)
_STATUS = {
    "INVALID_ARGUMENT": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 503,
    "DEADLINE_EXCEEDED": 503,
    "UNAVAILABLE": 503,
}
"""The HTTP status for each code; any other is 500."""


class GrpcClient:
    """A server's `inference.GRPCInferenceService`."""

    def __init__(self, address: Address, access: Credentials) -> None:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would write each failure to stderr itself
        for module in ("grpc", "google.protobuf"):
            require(module, extra="serve", purpose=f"--url {address}")
        from lit_infer.server.grpc import inference_pb2

        self.address = address
        self._messages = inference_pb2
        self._metadata = (("authorization", f"Bearer {access.key}"),) if access.key else ()
        self._credentials = _credentials(access) if address.tls else None
        self._control = self.connect()

    def connect(self) -> "GrpcConnection":
        """One more connection; it opens when it is first used."""
        import grpc

        options = _OPTIONS
        if self._credentials is None:
            channel = grpc.insecure_channel(self.address.netloc, options)
        else:
            channel = grpc.secure_channel(self.address.netloc, self._credentials, options)
        return GrpcConnection(self.address, channel, self._metadata)

    def close(self) -> None:
        """Close the connection for requests that are not measured."""
        self._control.close()

    def server(self) -> ServerInfo:
        """`ServerMetadata`."""
        found = self._ask("ServerMetadata")
        return ServerInfo(printable(found.name), printable(found.version))

    def models(self) -> list[str]:
        """`RepositoryIndex`."""
        found = self._ask("RepositoryIndex")
        return sorted({one.name for one in found.models if one.state in ("", "READY")})

    def model(self, name: str, version: str) -> ModelInfo:
        """`ModelMetadata` and `ModelConfig`."""
        found = self._ask("ModelMetadata", name=name, version=version)
        return ModelInfo(
            name=name,
            version=version,
            platform=printable(found.platform),
            inputs=tuple(_info(one) for one in found.inputs),
            outputs=tuple(_info(one) for one in found.outputs),
            max_batch=self._max_batch(name, version),
        )

    def pack(self, model: ModelInfo, rows: RequestInputs) -> bytes:
        """A `ModelInferRequest` with raw contents."""
        request = self._messages.ModelInferRequest(model_name=model.name, model_version=model.version)
        for name, array in rows.items():
            datatype, shape, blob = datatype_and_blob(array)
            request.inputs.add(name=name, datatype=datatype, shape=shape)
            request.raw_input_contents.append(blob)
        packed: bytes = request.SerializeToString()
        return packed

    def unpack(self, answer: bytes) -> ServerReply:
        """A `ModelInferResponse` with raw contents."""
        found = self._parsed("ModelInfer", answer)
        if len(found.raw_output_contents) != len(found.outputs):
            raise EngineError(f"{self.address} did not answer with raw contents, which lit-bench reads")
        raw = zip(found.outputs, found.raw_output_contents, strict=True)
        return ServerReply(
            found.model_version, {one.name: array_from(self.address, _info(one), blob) for one, blob in raw}
        )

    def _max_batch(self, name: str, version: str) -> int | None:
        try:
            return int(self._ask("ModelConfig", name=name, version=version).config.max_batch_size)
        except LitError:  # an extension, which not every server has
            return None

    def _ask(self, method: str, **fields: Any) -> Any:
        request = getattr(self._messages, f"{method}Request")(**fields)
        return self._parsed(method, self._control.ask(method, request.SerializeToString()))

    def _parsed(self, method: str, answer: bytes) -> Any:
        from google.protobuf.message import DecodeError

        try:
            return getattr(self._messages, f"{method}Response").FromString(answer)
        except DecodeError:
            raise EngineError(f"{self.address} does not speak the Open Inference Protocol v2 in {method}") from None


class GrpcConnection:
    """A channel. Messages go through it as bytes."""

    def __init__(self, address: Address, channel: "grpc.Channel", metadata: tuple[tuple[str, str], ...]) -> None:
        self._address, self._channel, self._metadata = address, channel, metadata
        self._methods: dict[str, Any] = {}
        self._used = 0.0

    def live(self) -> None:
        """`ServerLive`."""
        self.ask("ServerLive", b"")

    def infer(self, packed: bytes) -> bytes:
        """`ModelInfer`."""
        return self.ask("ModelInfer", packed)

    def wake(self) -> None:
        """Let the channel connect again if the server may have hung up meanwhile."""
        if time.monotonic() - self._used > IDLE_S:
            self.live()

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def ask(self, method: str, request: bytes) -> bytes:
        """One call. Raises what `refusal` makes of any code but OK, and EngineError if the connection breaks."""
        import grpc

        call = self._methods.get(method) or self._method(method)
        try:
            answer: bytes = call(request, timeout=TIMEOUT_S, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _failure(self._address, error) from None
        self._used = time.monotonic()
        return answer

    def _method(self, name: str) -> Any:
        # Without serializers it takes and gives bytes.
        self._methods[name] = self._channel.unary_unary(_SERVICE + name)
        return self._methods[name]


def _info(tensor: Any) -> TensorInfo:
    return TensorInfo(tensor.name, tensor.datatype, tuple(tensor.shape))


def _credentials(access: Credentials) -> "grpc.ChannelCredentials":
    import grpc

    try:
        roots = access.ca.read_bytes() if access.ca else None
    except OSError as error:
        raise UsageError(f"--ca {access.ca}: {error.strerror}") from None
    return grpc.ssl_channel_credentials(roots)


def _failure(address: Address, error: Any) -> LitError:
    """What a failed call means, in one line."""
    code, said = error.code().name, error.details() or ""
    if code == "UNAVAILABLE" and not (error.initial_metadata() or error.trailing_metadata()):
        return _unreachable(address, said)  # a server's own words come with metadata
    if code == "UNIMPLEMENTED":
        return UsageError(f"{address} is not a server of the Open Inference Protocol v2: {said}")
    if code == "RESOURCE_EXHAUSTED" and "larger than max" in said:
        return refusal(address, 413, said)
    if code == "DEADLINE_EXCEEDED" and said == "Deadline Exceeded":
        return EngineError(f"{address} gave no answer within {TIMEOUT_S:g} s")
    return refusal(address, _STATUS.get(code, 500), said)


def _unreachable(address: Address, said: str) -> LitError:
    if "Connection refused" in said:
        return EngineError(f"nothing listens at {address}: start lit-serve, or check --url")
    if "http1.x" in said:
        return UsageError(f"{address} speaks HTTP/1.1, not gRPC: write http://{address.netloc}, or check the port")
    if "address lookup failed" in said:
        return UsageError(f"{address}: there is no host with this name")
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return UsageError(f"{address}: its certificate is not trusted: give --ca FILE")
    if "handshake failed" in said:
        return UsageError(f"{address} does not accept this client's TLS; without TLS, write grpc://")
    return EngineError(f"{address} hung up: is it stopping, or does this port expect TLS? ({said[-200:]})")
