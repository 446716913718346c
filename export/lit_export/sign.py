"""Sign a bundle with an offline key, in the OpenSSF model-signing format; `lit_infer.signature` verifies it."""

import tempfile
from pathlib import Path
from typing import Any

from lit_infer import files, manifest, signature
from lit_infer.errors import ArtifactError, NotFoundError, UsageError, require


def sign(bundle: Path, *, private_key: Path, password: str | None = None) -> Path:
    """Write `model.sig` into a bundle folder: a signature over every other file of it.

    `private_key` is a PEM file with an elliptic-curve key (P-256, P-384, P-521), `password` is for an encrypted one.
    A bundle that is not what its manifest says is not signed. An earlier signature is replaced.
    """
    require("model_signing", extra="sign", purpose="Signing")
    _check(bundle)
    signer = _signer(private_key, password)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, signature.FILE_NAME)
        try:
            signer.sign(bundle.resolve(), made)
        except ValueError as error:  # a symbolic link, a device
            raise UsageError(f"{bundle} cannot be signed: {str(error).partition('. ')[0]}") from None
        path = bundle / signature.FILE_NAME
        with files.atomic_text(path) as file:
            file.write(made.read_text(encoding="utf-8"))
    return path


def _check(bundle: Path) -> None:
    """Nobody should vouch for a bundle whose files are not those of its manifest."""
    for graph in manifest.read(bundle).ok_graphs():
        for name, digest in {graph.file or "": graph.sha256, **graph.companions}.items():
            path = bundle / name
            if not path.is_file() or files.sha256(path) != digest:
                raise ArtifactError(f"{path} is not the file that its manifest describes: export or fetch it again")


def _signer(private_key: Path, password: str | None) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from model_signing import hashing, signing

    # model_signing hands the password on as it is, and cryptography takes bytes only.
    secret: Any = password.encode() if password else None
    try:
        config = signing.Config()  # type: ignore[no-untyped-call]
        config.use_elliptic_key_signer(private_key=private_key, password=secret)
    except FileNotFoundError:
        raise NotFoundError(f"no private key at {private_key}. docs/export/signing.md shows how to make one") from None
    except TypeError:
        wrong = "is not encrypted, but a password was given" if password else "is encrypted: give its password"
        raise UsageError(f"{private_key} {wrong}") from None
    except (ValueError, AttributeError, UnsupportedAlgorithm):  # AttributeError: a key on no curve at all (RSA)
        reason = ", or the password is wrong" if password else ""
        raise UsageError(f"{private_key} is not an elliptic-curve private key (P-256) in PEM format{reason}") from None
    hashed = hashing.Config()  # type: ignore[no-untyped-call]
    hashed.set_ignored_paths(paths=[signature.FILE_NAME], ignore_git_paths=False)
    return config.set_hashing_config(hashed)
