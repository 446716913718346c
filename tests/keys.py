"""Key pairs for signing, made where they are used."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PASSWORD = "correct horse"  # noqa: S105 - of keys that live as long as a test


def key_pair(folder: Path, *, key: Any = None, password: str | None = None) -> tuple[Path, Path]:
    """`private.pem` and `public.pem`; P-256 unless another private key is given."""
    folder.mkdir(parents=True, exist_ok=True)
    key = key or ec.generate_private_key(ec.SECP256R1())
    encryption = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    private, public = folder / "private.pem", folder / "public.pem"
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def rsa_key() -> Any:
    """A key of the wrong kind."""
    return rsa.generate_private_key(65537, 2048)
