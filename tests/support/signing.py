"""Signatures by the reference implementation."""

from pathlib import Path
from typing import Any

from lit_infer.signature import FILE_NAME


def sign(folder: Path, private_key: Path, **options: Any) -> Path:
    from model_signing import hashing, signing

    config = hashing.Config().use_file_serialization(**options)
    config.set_ignored_paths(paths=[FILE_NAME])  # and git's own files, which is its default
    signer = signing.Config().use_elliptic_key_signer(private_key=private_key).set_hashing_config(config)
    signer.sign(folder, folder / FILE_NAME)
    return folder
