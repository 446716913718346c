"""Who made this bundle? Verify `model.sig`, a signature in the OpenSSF model-signing format, with a public key.

The file is a sigstore bundle, read from the outside in:

    sigstore bundle           JSON: which key (its sha256), and
    └── DSSE envelope         the payload in base64, and the ECDSA signature over its PAE encoding
        └── in-toto statement JSON: the payload; its subject is the digest of all digests, its predicate is
            └── resources     the name and sha256 of every file

Law: what `verify` accepts, model_signing's own verifier accepts too; this one needs only `cryptography`, and
refuses more: symbolic links, hashes other than sha256, files that the signer chose to leave out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from lit_infer import files
from lit_infer.bundle import find
from lit_infer.errors import ArtifactError, NotFoundError, UsageError, require

FILE_NAME = "model.sig"

_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_MAX_BYTES = 16_000_000
_HASHES = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}
_GIT = frozenset({".git", ".gitattributes", ".github", ".gitignore"})


T = TypeVar("T")


# The outer layers are unsigned, so they must hold exactly these fields.
class _PublicKey(Struct, forbid_unknown_fields=True):
    hint: str


class _Material(Struct, rename="camel", forbid_unknown_fields=True):
    public_key: _PublicKey
    tlog_entries: tuple[()] = ()
    """An offline key has no entry in a public log."""


class _Signature(Struct, forbid_unknown_fields=True):
    sig: str
    keyid: str


class _Envelope(Struct, rename="camel", forbid_unknown_fields=True):
    payload: str
    payload_type: str
    signatures: tuple[_Signature]


class _Bundle(Struct, rename="camel", forbid_unknown_fields=True):
    media_type: str
    verification_material: _Material
    dsse_envelope: _Envelope


# The statement is signed; the format says to ignore fields of later versions.
class _Subject(Struct):
    name: str
    digest: dict[str, str]


class _Resource(Struct):
    name: str
    algorithm: str
    digest: str


class _Serialization(Struct):
    method: str
    hash_type: str
    allow_symlinks: bool
    ignore_paths: tuple[str, ...] = ()


class _Predicate(Struct):
    resources: tuple[_Resource, ...]
    serialization: _Serialization


class _Statement(Struct, rename="camel"):
    kind: str = field(name="_type")
    subject: tuple[_Subject]
    predicate_type: str
    predicate: _Predicate


def verify(bundle: Path, public_key: Path) -> tuple[str, ...]:
    """Check that a bundle folder is, file by file, what the owner of the key signed; returns the files' names.

    `public_key` is a PEM file with an elliptic-curve key (P-256, P-384, P-521). Raises ArtifactError where the
    signature is missing, malformed or made with another key, and for any file that is changed, missing or extra.
    """
    key, hint = _read_key(public_key)
    path = bundle / FILE_NAME
    statement = _signed_statement(path, key, hint, public_key)
    expected = _expected(path, statement)
    present = _present(bundle, set(statement.predicate.serialization.ignore_paths) & _GIT)
    for wrong, what in (
        (present - set(expected), "is not among the signed files"),
        (set(expected) - present, "is missing"),
    ):
        if wrong:
            raise ArtifactError(f"{bundle}: {min(wrong)} {what}. Fetch the bundle again from where it was signed")
    for name, digest in expected.items():
        if files.sha256(bundle / name) != digest:
            raise ArtifactError(f"{bundle}: {name} is not the file that was signed. Fetch the bundle again")
    return tuple(expected)


def verified(model: str | os.PathLike[str], *, public_key: Path) -> Path:
    """The folder of a bundle (a folder or a reference), verified. A lone graph file has no signature: UsageError."""
    graph = find(model)[0]
    if graph.listed is None:
        raise UsageError(f"{model} is a lone graph file, which has no signature; name its bundle to verify it")
    verify(graph.path.parent, public_key)
    return graph.path.parent


def _read_key(path: Path) -> tuple[Any, str]:
    """The public key, and the sha256 by which a signature names it."""
    require("cryptography", extra="verify", purpose="Verifying a signature")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        raise NotFoundError(f"no public key at {path}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(
            f"{path} is not a public key in PEM format. docs/export/signing.md shows how to make one"
        ) from None
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name not in _HASHES:
        raise UsageError(
            f"{path} is not an elliptic-curve key on P-256, P-384 or P-521, which signatures are made with"
        )
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key, hashlib.sha256(key.public_bytes(encoding, form)).hexdigest()


def _signed_statement(path: Path, key: Any, hint: str, public_key: Path) -> _Statement:
    """The signed statement, once its signature is verified; nothing in it is trusted before."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

    bundle = _decode(_read(path), _Bundle, path)
    envelope = bundle.dsse_envelope
    if (bundle.media_type, envelope.payload_type) != (_MEDIA_TYPE, _PAYLOAD_TYPE):
        raise ArtifactError(
            f"{path}: {bundle.media_type!r} with {envelope.payload_type!r} is not a signature known here"
        )
    if bundle.verification_material.public_key.hint != hint:
        raise ArtifactError(
            f"{path} was made with a different key from {public_key}. Ask the signer for the public key"
        )
    payload, signature = _base64(envelope.payload, path), _base64(envelope.signatures[0].sig, path)
    try:
        key.verify(signature, _pae(payload), ECDSA(getattr(hashes, _HASHES[key.curve.name])()))
    except InvalidSignature:
        raise ArtifactError(
            f"{path}: the signature is not of {public_key} over this statement: one of the two was changed"
        ) from None
    return _decode(payload, _Statement, path)


def _read(path: Path) -> bytes:
    if path.is_symlink():
        raise ArtifactError(f"{path} is a symbolic link; a signed bundle has none")
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise ArtifactError(
            f"{path.parent} is not signed: it has no {path.name}. Run: lit-export sign --help"
        ) from None
    if len(data) > _MAX_BYTES:
        raise ArtifactError(f"{path} is too large to be a signature")
    return data


def _decode(raw: bytes, to: type[T], path: Path) -> T:
    try:
        return msgspec.json.decode(raw, type=to)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactError(
            f"{path} is not a model-signing signature ({error}). Fetch or sign the bundle again"
        ) from None


def _base64(text: str, path: Path) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ArtifactError(f"{path} is damaged: its base64 cannot be read. Fetch or sign the bundle again") from None


def _pae(payload: bytes) -> bytes:
    """The bytes that a DSSE signature is over (pre-authentication encoding): type and payload with their lengths."""
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE.encode(), len(payload), payload)


def _expected(path: Path, statement: _Statement) -> dict[str, str]:
    """The sha256 of every signed file by its name, from a statement that is complete and of the known type."""
    resources, how = statement.predicate.resources, statement.predicate.serialization
    if (statement.kind, statement.predicate_type) != (_STATEMENT_TYPE, _PREDICATE_TYPE):
        raise ArtifactError(
            f"{path}: a statement {statement.predicate_type!r} is not known here. Sign with lit-export sign"
        )
    if (how.method, how.hash_type) != ("files", "sha256") or any(one.algorithm != "sha256" for one in resources):
        raise ArtifactError(
            f"{path}: signed by {how.method} with {how.hash_type}; expected files with sha256. Sign it again"
        )
    found = {one.name: one.digest for one in resources}
    try:
        root = hashlib.sha256(b"".join(bytes.fromhex(one.digest) for one in resources)).hexdigest()
    except ValueError:
        root = ""
    if len(found) != len(resources) or statement.subject[0].digest.get("sha256") != root:
        raise ArtifactError(f"{path}: the statement contradicts itself. Sign the bundle again")
    return found


def _present(bundle: Path, left_out: set[str]) -> set[str]:
    """The files of the folder, without the signature itself, and without git's own if the signer left those out."""
    found = set()
    for folder, folders, names in os.walk(bundle):
        for name in (*folders, *names):
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise ArtifactError(f"{path} is not a plain file; a signed bundle has no links and no devices")
        found |= {Path(folder, name).relative_to(bundle).as_posix() for name in names}
    return {name for name in found if name != FILE_NAME and name.partition("/")[0] not in left_out}
