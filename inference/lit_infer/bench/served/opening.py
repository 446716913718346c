"""From `--url` to a served model to measure: read its metadata, try it once, keep the version that answered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lit_infer.bench.inputs import MakeInputs, noise_of
from lit_infer.bench.served import address as addresses
from lit_infer.bench.served.address import Address
from lit_infer.bench.served.client import DTYPES, Client, Credentials, ModelInfo, printable
from lit_infer.bench.served.model import ServedModel
from lit_infer.bench.served.over_grpc import GrpcClient
from lit_infer.bench.served.over_http import HttpClient
from lit_infer.bench.served.samples import FileSamples, PreparedSamples, Samples
from lit_infer.errors import UsageError
from lit_infer.images import ImageInput

_PIXELS = ("UINT8", "UINT16", "FP32")
"""What prepared images are made of."""


@dataclass(frozen=True)
class Servers:
    """What the command line says about servers."""

    urls: Sequence[str]
    model: str | None = None
    """NAME or NAME/VERSION; None: the only one there is."""
    key_file: Path | None = None
    ca: Path | None = None

    def open(self, *, images: Sequence[ImageInput] = (), inputs: MakeInputs | None = None) -> list[ServedModel]:
        """Each server's model. `inputs`: what to send instead of noise in the shapes of its metadata."""
        found = list(dict.fromkeys(addresses.parse(url) for url in self.urls))
        access = Credentials(_key(self.key_file), self.ca)
        models = []
        for address, label in zip(found, _labels(found), strict=True):
            client: Client = HttpClient(address, access) if address.protocol == "http" else GrpcClient(address, access)
            try:
                models.append(_open(client, label, self.model, images, inputs))
            finally:
                client.close()
        return models


def _open(
    client: Client, label: str, wanted: str | None, images: Sequence[ImageInput], inputs: MakeInputs | None
) -> ServedModel:
    server = client.server()
    info = _model(client, wanted)
    model = ServedModel(label, client, server, info, _samples(client.address, info, images, inputs))
    rows = model.fixed_batch or 1
    answered = model.ask(model.samples.rows(range(rows)), rows)
    return replace(model, info=replace(info, version=answered.version))


def _model(client: Client, wanted: str | None) -> ModelInfo:
    name, version = _named(wanted)
    if not name:
        there = client.models()
        if len(there) != 1:
            names = ", ".join(map(printable, there))
            what = f"serves {names}: choose with --model NAME" if there else "has no model that is ready"
            raise UsageError(f"{client.address} {what}")
        (name,) = there
    return client.model(name, version)


def _named(wanted: str | None) -> tuple[str, str]:
    """Name and version; either may be empty."""
    name, slash, version = (wanted or "").partition("/")
    if wanted is not None and (not name or bool(slash) != bool(version) or "/" in version):
        raise UsageError(
            f"--model {wanted!r}: with --url this is the name on the server, NAME or NAME/VERSION; "
            "to measure a model beside it: lit-bench MODEL --url ..."
        )
    return name, version


def _samples(address: Address, info: ModelInfo, images: Sequence[ImageInput], inputs: MakeInputs | None) -> Samples:
    if not images:
        names = [tensor.name for tensor in info.inputs]
        return PreparedSamples(inputs or _noise(address, info), names, are_rows=info.max_batch != 0)
    first = info.inputs[0]
    if len(info.inputs) != 1 or first.datatype not in _PIXELS or len(first.shape) != 4:
        takes = ", ".join(f"{tensor.name} {tensor.datatype} {list(tensor.shape)}" for tensor in info.inputs)
        raise UsageError(f"--from: {info.name} at {address} does not take images, but {takes}")
    return FileSamples(images, first.name)


def _noise(address: Address, info: ModelInfo) -> MakeInputs:
    """Random input in the shapes of the metadata, as `lit-bench` makes it from a manifest."""
    for tensor in info.inputs:
        if tensor.datatype not in DTYPES:
            takes = f"{tensor.name} as {tensor.datatype[:16]}"
            raise UsageError(f"{info.name} at {address} takes {takes}, which lit-bench cannot make")
        if min(tensor.shape[1:], default=1) < 1:
            fix = "give --inputs FILE.npz, --from IMAGES, or its bundle: lit-bench MODEL --url ..."
            raise UsageError(f"{info.name} at {address} takes {tensor.name} of any size {list(tensor.shape)}: {fix}")
    return noise_of({tensor.name: (DTYPES[tensor.datatype], _sides(tensor.shape)) for tensor in info.inputs})


def _sides(shape: Sequence[int]) -> tuple[int | None, ...]:
    return tuple(side if side > 0 else None for side in shape)


def _key(file: Path | None) -> str | None:
    from lit_infer.server import auth

    keys = auth.read_keys(file)
    return keys[0].decode("ascii", "replace") if keys else None


def _labels(found: Sequence[Address]) -> list[str]:
    """The protocol; if several servers have the same one, with the port or with the whole address."""
    short: list[str] = [address.protocol for address in found]
    longer = [f"{address.protocol} :{address.port}" for address in found]
    full = [f"{address.protocol} {address.netloc}" for address in found]
    return next(labels for labels in (short, longer, full) if len(set(labels)) == len(found) or labels is full)
