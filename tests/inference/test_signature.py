"""Verify what model_signing, the reference implementation, has signed; and refuse every kind of change."""

import base64
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from lit_infer.signature import FILE_NAME, verify
from tests.inference.tiny import without
from tests.keys import key_pair, rsa_key
from tests.support.signing import sign


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def signed(tmp_path: Path, bundle_folder: Path, keys: tuple[Path, Path]) -> Path:
    """A bundle with a folder in it, signed by model_signing."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle_folder, folder)
    (folder / "notes").mkdir()
    (folder / "notes" / "é.txt").write_text("a note")
    return sign(folder, keys[0])


def reference_accepts(folder: Path, public_key: Path) -> bool:
    """What model_signing's own verifier says."""
    from model_signing import verifying

    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
        config.verify(folder, folder / FILE_NAME)
    except Exception:  # of many kinds
        return False
    return True


def edit(folder: Path, change: Callable[[Any], object]) -> None:
    document = json.loads((folder / FILE_NAME).read_text())
    change(document)
    (folder / FILE_NAME).write_text(json.dumps(document))


def edit_statement(folder: Path, change: Callable[[Any], object], *, key: Path | None = None) -> None:
    """Change what was signed; with a key, sign it again, as a careless or hostile owner of the key could."""

    def change_payload(document: Any) -> None:
        envelope = document["dsseEnvelope"]
        statement = json.loads(base64.b64decode(envelope["payload"]))
        change(statement)
        payload = json.dumps(statement).encode()
        envelope["payload"] = base64.b64encode(payload).decode()
        if key is not None:
            kind = envelope["payloadType"].encode()
            pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
            private: Any = serialization.load_pem_private_key(key.read_bytes(), None)
            signature = private.sign(pae, ec.ECDSA(hashes.SHA256()))
            envelope["signatures"][0]["sig"] = base64.b64encode(signature).decode()

    edit(folder, change_payload)


def test_what_the_reference_signs_is_accepted_and_every_file_is_named(signed: Path, keys: tuple[Path, Path]) -> None:
    assert sorted(verify(signed, keys[1])) == ["manifest.json", "model.onnx", "notes/é.txt"]
    assert reference_accepts(signed, keys[1])


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_the_other_curves_of_the_format_are_accepted(curve: ec.EllipticCurve, signed: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path / "keys", key=ec.generate_private_key(curve))

    assert verify(sign(signed, private), public)


def test_a_bundle_may_be_moved_and_renamed(signed: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    assert verify(signed.rename(tmp_path / "elsewhere"), keys[1])


def test_an_empty_folder_is_no_file(signed: Path, keys: tuple[Path, Path]) -> None:
    (signed / "empty").mkdir()

    assert verify(signed, keys[1])
    assert reference_accepts(signed, keys[1])


def test_files_of_git_may_be_there_if_the_signer_left_them_out(signed: Path, keys: tuple[Path, Path]) -> None:
    (signed / ".git").mkdir()
    (signed / ".git" / "HEAD").write_text("ref: refs/heads/main")

    assert verify(signed, keys[1])
    assert reference_accepts(signed, keys[1])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def linked(folder: Path) -> None:
    (folder / "model.onnx").rename(folder.parent / "model.onnx")
    (folder / "model.onnx").symlink_to(folder.parent / "model.onnx")


def set_at(*path: Any, to: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = to

    return change


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit of a graph": (lambda b: flip(b / "model.onnx"), "model.onnx is not the file that was signed"),
    "a bit of the manifest": (lambda b: flip(b / "manifest.json"), "manifest.json is not the file that was signed"),
    "a longer file": (lambda b: (b / "notes/é.txt").write_text("a note."), "é.txt is not the file"),
    "an extra file": (lambda b: (b / "model.pt").write_text(""), "model.pt is not among the signed files"),
    "an extra hidden file": (lambda b: (b / ".x").write_text(""), ".x is not among the signed files"),
    "a second signature": (lambda b: (b / "notes" / FILE_NAME).write_text(""), "notes/model.sig is not among"),
    "a removed file": (lambda b: (b / "model.onnx").unlink(), "model.onnx is missing"),
    "a renamed file": (lambda b: (b / "model.onnx").rename(b / "model2.onnx"), "model2.onnx is not among"),
    "swapped files": (lambda b: shutil.copy(b / "manifest.json", b / "model.onnx"), "model.onnx is not the file"),
    "a link to a file": (linked, "model.onnx is not a plain file"),
    "a link to a folder": (lambda b: (b / "more").symlink_to(b.parent), "more is not a plain file"),
    "a dangling link": (lambda b: (b / "more").symlink_to("nothing"), "more is not a plain file"),
    "a pipe": (lambda b: os.mkfifo(b / "more"), "more is not a plain file"),
    "a folder for a file": (lambda b: [(b / "model.onnx").unlink(), (b / "model.onnx").mkdir()], "is missing"),
    "no signature": (lambda b: (b / FILE_NAME).unlink(), "is not signed: it has no model.sig"),
    "an empty signature": (lambda b: (b / FILE_NAME).write_text(""), "is not a model-signing signature"),
    "a truncated signature": (
        lambda b: (b / FILE_NAME).write_text((b / FILE_NAME).read_text()[:-20]),
        "is not a model-signing signature",
    ),
    "deep nesting": (lambda b: (b / FILE_NAME).write_text("[" * 100_000), "is not a model-signing signature"),
    "a huge signature": (lambda b: (b / FILE_NAME).write_bytes(b" " * 16_000_001), "is too large"),
    "bytes that are no text": (lambda b: (b / FILE_NAME).write_bytes(b'{"mediaType": "\xff"}'), "is not a model"),
    "a changed statement": (
        lambda b: edit_statement(b, set_at("predicate", "resources", 0, "digest", to="0" * 64)),
        "the signature is not of",
    ),
    "a statement without files": (
        lambda b: edit_statement(b, set_at("predicate", "resources", to=[])),
        "the signature is not of",
    ),
    "no signatures": (lambda b: edit(b, set_at("dsseEnvelope", "signatures", to=[])), "is not a model-signing"),
    "another signature": (
        lambda b: edit(b, set_at("dsseEnvelope", "signatures", 0, "sig", to="MAYCAQECAQE=")),
        "the signature is not of",
    ),
    "half a signature": (
        lambda b: edit(b, lambda d: d["dsseEnvelope"]["signatures"][0].update(
            sig=base64.b64encode(base64.b64decode(d["dsseEnvelope"]["signatures"][0]["sig"])[:40]).decode()
        )),
        "the signature is not of",
    ),
    "no base64": (lambda b: edit(b, set_at("dsseEnvelope", "signatures", 0, "sig", to="$")), "is damaged"),
    "another payload type": (
        lambda b: edit(b, set_at("dsseEnvelope", "payloadType", to="text/plain")),
        "is not a signature known here",
    ),
    "another media type": (lambda b: edit(b, set_at("mediaType", to="text/plain")), "is not a signature known here"),
    "another key's name": (
        lambda b: edit(b, set_at("verificationMaterial", "publicKey", "hint", to="0" * 64)),
        "was made with a different key",
    ),
    "no key's name": (
        lambda b: edit(b, set_at("verificationMaterial", to={"certificate": {}})),
        "is not a model-signing signature",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_every_tampering_is_refused_with_what_is_wrong(name: str, signed: Path, keys: tuple[Path, Path]) -> None:
    tamper, message = TAMPERINGS[name]
    tamper(signed)

    with pytest.raises(ArtifactError) as caught:
        verify(signed, keys[1])

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


RESIGNED: dict[str, tuple[Callable[[Any], object], str]] = {
    "a file that is left out": (
        lambda s: s["predicate"]["serialization"]["ignore_paths"].append("extra.onnx"),
        "extra.onnx is not among the signed files",
    ),
    "another kind of statement": (set_at("_type", to="https://in-toto.io/Statement/v0.1"), "is not known here"),
    "another predicate": (set_at("predicateType", to="https://model_signing/Digests/v0.1"), "is not known here"),
    "shards": (set_at("predicate", "serialization", "method", to="shards"), "expected files"),
    "another hash of all": (
        set_at("predicate", "serialization", "hash_type", to="blake2"),
        "expected files",
    ),
    "another hash of one": (
        set_at("predicate", "resources", 0, "algorithm", to="blake2"),
        "expected files",
    ),
    "another root": (set_at("subject", 0, "digest", "sha256", to="0" * 64), "the statement contradicts itself"),
    "no root": (set_at("subject", 0, "digest", to={}), "the statement contradicts itself"),
    "no hexadecimal": (set_at("predicate", "resources", 0, "digest", to="xyz"), "the statement contradicts itself"),
    "a file twice": (
        lambda s: s["predicate"]["resources"].append(s["predicate"]["resources"][0]),
        "the statement contradicts itself",
    ),
    "two subjects": (lambda s: s["subject"].append(s["subject"][0]), "is not a model-signing signature"),
    "no predicate": (lambda s: s.pop("predicate"), "is not a model-signing signature"),
}


@pytest.mark.parametrize("name", RESIGNED)
def test_a_good_signature_over_a_statement_of_another_kind_is_refused(
    name: str, signed: Path, keys: tuple[Path, Path]
) -> None:
    change, message = RESIGNED[name]
    (signed / "extra.onnx").write_text("")
    sign(signed, keys[0])
    if name == "a file that is left out":
        (signed / "extra.onnx").unlink()
        sign(signed, keys[0])
        (signed / "extra.onnx").write_text("")
    edit_statement(signed, change, key=keys[0])

    with pytest.raises(ArtifactError) as caught:
        verify(signed, keys[1])

    assert message in str(caught.value)


def test_signing_the_same_statement_again_is_accepted(signed: Path, keys: tuple[Path, Path]) -> None:
    edit_statement(signed, lambda statement: statement, key=keys[0])

    assert verify(signed, keys[1])


def test_a_signature_of_another_key_is_refused(signed: Path, tmp_path: Path) -> None:
    _, public = key_pair(tmp_path / "others")

    with pytest.raises(ArtifactError, match="was made with a different key from"):
        verify(signed, public)
    assert not reference_accepts(signed, public)


def test_links_are_refused_even_if_the_signer_followed_them(signed: Path, keys: tuple[Path, Path]) -> None:
    linked(signed)

    from model_signing import hashing, signing

    config = hashing.Config().set_allow_symlinks(True).set_ignored_paths(paths=[FILE_NAME])
    signing.Config().use_elliptic_key_signer(private_key=keys[0]).set_hashing_config(config).sign(
        signed, signed / FILE_NAME
    )

    with pytest.raises(ArtifactError, match=r"model\.onnx is not a plain file"):
        verify(signed, keys[1])


def test_a_signature_that_is_a_link_is_refused(signed: Path, keys: tuple[Path, Path]) -> None:
    (signed / FILE_NAME).rename(signed.parent / FILE_NAME)
    (signed / FILE_NAME).symlink_to(signed.parent / FILE_NAME)

    with pytest.raises(ArtifactError, match="is a symbolic link"):
        verify(signed, keys[1])


def test_what_is_accepted_here_is_accepted_by_the_reference(signed: Path, keys: tuple[Path, Path]) -> None:
    whole = (signed / FILE_NAME).read_text()
    generator = random.Random(0)  # noqa: S311 - to be the same in every run
    places = [found.start() for found in re.finditer(r"\W", whole)]  # between the words, where the structure is
    accepted = 0
    for _ in range(400):
        place = generator.choice(places)
        mutated = whole[:place] + generator.choice(' "0aAx') + whole[place + generator.randrange(2) :]
        (signed / FILE_NAME).write_text(mutated)
        try:
            verify(signed, keys[1])
        except ArtifactError:
            continue
        accepted += 1
        assert reference_accepts(signed, keys[1]), mutated

    assert accepted > 10  # added spaces between fields, for instance


def test_keys_that_are_no_public_keys_are_usage_errors(signed: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    _, rsa = key_pair(tmp_path / "rsa", key=rsa_key())
    _, other_curve = key_pair(tmp_path / "curve", key=ec.generate_private_key(ec.SECP256K1()))
    (tmp_path / "text.pem").write_text("hello")

    with pytest.raises(NotFoundError, match="no public key at"):
        verify(signed, tmp_path / "nothing.pem")
    for path in (keys[0], tmp_path / "text.pem"):
        with pytest.raises(UsageError, match="is not a public key in PEM format"):
            verify(signed, path)
    for path in (rsa, other_curve):
        with pytest.raises(UsageError, match="is not an elliptic-curve key on P-256, P-384 or P-521"):
            verify(signed, path)


def test_verifying_needs_neither_model_signing_nor_sigstore(
    signed: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    code = """
import sys
from pathlib import Path
from lit_infer.signature import verify
print(len(verify(Path(sys.argv[1]), Path(sys.argv[2]))))
"""

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, signed, keys[1]],
        env=without(tmp_path / "hidden", "model_signing", "sigstore", "sigstore_models", "google", "OpenSSL", "torch"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("3\n", "")


def test_without_cryptography_the_command_that_installs_it_is_named(
    signed: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    code = """
import sys
from pathlib import Path
from lit_infer.signature import verify
verify(Path(sys.argv[1]), Path(sys.argv[2]))
"""

    done = subprocess.run(
        [sys.executable, "-c", code, signed, keys[1]],
        env=without(tmp_path / "hidden", "cryptography"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert 'pip install "lit-deploy[verify]"' in done.stderr
