"""The server as a whole: its address, TLS, reflection, silent and too many clients, its end."""

import asyncio
import signal
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from lit_infer.errors import UsageError
from lit_infer.server.grpc import inference_pb2 as pb
from lit_infer.server.grpc.server import create_server
from lit_infer.server.listeners import Tls, open_listeners, read_tls
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings
from tests.inference.tiny import LABELS, colour
from tests.support.server.process import read_all, serving
from tests.support.server.proven import expected
from tests.support.server.rig import Rig, asked, probabilities

SERVICES = ("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection", "inference.GRPCInferenceService")


def test_reflection_tells_of_all_services(rig: Rig) -> None:
    def ask() -> tuple[tuple[str, ...], list[str]]:
        with grpc.insecure_channel(rig.listeners.grpc_address) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            names = tuple(database.get_services())
            return names, [database.FindFileContainingSymbol(name).name for name in names]

    names, files = rig.run(asyncio.to_thread(ask))

    assert names == SERVICES
    assert files == ["grpc_health/v1/health.proto", "grpc_reflection/v1alpha/reflection.proto", "inference.proto"]


def test_an_address_that_is_taken_is_said(repository: Repository) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port}: Address already in use\. --grpc-port 0 picks a free"):
            open_listeners("127.0.0.1", 0, port)


def test_one_that_is_taken_while_models_are_opened_is_said(
    repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    listeners = open_listeners("127.0.0.1", 0, 0)
    assert listeners.grpc is not None
    told = f"cannot listen on {listeners.grpc_address} for gRPC"
    with socket.create_server(listeners.grpc.getsockname()), pytest.raises(UsageError, match=told):
        asyncio.run(create_server(repository, Settings(), listeners).start())
    for sock in (listeners.http, listeners.grpc):
        sock.close()
    capfd.readouterr()  # gRPC's core says so too


def self_signed(folder: Path) -> Tls:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.not_valid_before(now).not_valid_after(now + timedelta(days=1)).serial_number(1)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    kind = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*kind))
    found = read_tls(folder / "cert.pem", folder / "key.pem")
    assert found is not None
    return found


def test_tls_is_that_of_http(repository: Repository, tmp_path: Path) -> None:
    tls = self_signed(tmp_path)
    listeners = open_listeners("localhost", 0, 0, tls=tls)
    rig = Rig(repository, listeners=listeners, credentials=grpc.ssl_channel_credentials(tls.certificate.read_bytes()))

    async def without_tls() -> None:
        async with grpc.aio.insecure_channel(listeners.grpc_address) as channel:
            await channel.unary_unary("/inference.GRPCInferenceService/ServerLive")(b"")

    rig.channel = rig.run(opened(f"localhost:{listeners.grpc_address.rpartition(':')[2]}", rig.credentials))
    assert rig.ask("ServerLive", pb.ServerLiveRequest()).live
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        rig.run(without_tls())
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    rig.close()


async def opened(where: str, credentials: Any) -> Any:
    return grpc.aio.secure_channel(where, credentials)


def test_clients_that_say_nothing_or_are_too_many_are_closed(repository: Repository) -> None:
    rig = Rig(repository, Settings(header_timeout=0.2, max_connections=2))
    where = rig.listeners.grpc_address.split(":")

    def silent() -> bytes:
        with socket.create_connection((where[0], int(where[1])), timeout=10) as sock:
            return read_all(sock)

    async def three() -> list[bytes]:
        return await asyncio.gather(*(asyncio.to_thread(silent) for _ in range(3)))

    told = rig.run(three())

    assert b"" in told  # the one too many; the others were sent the server's settings first
    rig.close()


def test_sigterm_loses_none_of_the_calls_in_flight_and_exits_with_0(proven: Path) -> None:
    images = [colour(LABELS[i % 3], 50 + i)[None] for i in range(50)]
    service = "/inference.GRPCInferenceService"

    async def story() -> list[Any]:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            infer = channel.unary_unary(f"{service}/ModelInfer")
            ready = channel.unary_unary(f"{service}/ServerReady")
            calls = [infer(asked(image).SerializeToString()) for image in images]
            assert await ready(b"") == b"\x08\x01"  # asked after them on the same connection
            server.process.send_signal(signal.SIGTERM)
            while await ready(b"") != b"":  # false
                await asyncio.sleep(0.01)
            return await asyncio.gather(*calls)

    with serving(proven, settings="accept_delay=0.3", opening="max_batch=64, max_delay=1.0", grpc=True) as server:
        answers = asyncio.run(story())
        assert server.process.wait(25) == 0

    found = np.concatenate([probabilities(pb.ModelInferResponse.FromString(answer)) for answer in answers])
    assert np.allclose(found, expected(np.concatenate(images)))
