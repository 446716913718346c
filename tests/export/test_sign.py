"""Sign a bundle; the runtime and the reference implementation both accept what comes out."""

import subprocess
import sys
from pathlib import Path

import pytest

from lit_export.sign import sign
from lit_infer import signature
from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from tests.inference.tiny import make_bundle, without
from tests.keys import PASSWORD, key_pair, rsa_key


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


def test_the_runtime_and_the_reference_accept_what_is_signed(bundle: Path, keys: tuple[Path, Path]) -> None:
    from model_signing import verifying

    path = sign(bundle, private_key=keys[0])

    assert path == bundle / "model.sig"
    assert sorted(signature.verify(bundle, keys[1])) == ["manifest.json", "model.onnx"]
    verifying.Config().use_elliptic_key_verifier(public_key=keys[1]).verify(bundle, path)


def test_files_of_git_are_signed_like_any_other(bundle: Path, keys: tuple[Path, Path]) -> None:
    (bundle / ".gitattributes").write_text("*.onnx filter=lfs")

    sign(bundle, private_key=keys[0])
    assert ".gitattributes" in signature.verify(bundle, keys[1])

    (bundle / ".gitattributes").write_text("")
    with pytest.raises(ArtifactError, match="is not the file that was signed"):
        signature.verify(bundle, keys[1])


def test_signing_again_replaces_the_signature(bundle: Path, keys: tuple[Path, Path]) -> None:
    sign(bundle, private_key=keys[0])
    (bundle / "report.md").write_text("new")
    with pytest.raises(ArtifactError, match=r"report\.md is not among the signed files"):
        signature.verify(bundle, keys[1])

    sign(bundle, private_key=keys[0])

    assert "report.md" in signature.verify(bundle, keys[1])


def test_the_folder_may_be_named_as_the_current_one(
    bundle: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle)

    sign(Path(), private_key=keys[0])

    assert signature.verify(Path(), keys[1])
    assert '"name": "bundle"' in _statement(bundle)


def _statement(bundle: Path) -> str:
    import base64
    import json

    envelope = json.loads((bundle / "model.sig").read_text())["dsseEnvelope"]
    return base64.b64decode(envelope["payload"]).decode()


def test_an_encrypted_key_needs_its_password(bundle: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path / "keys", password=PASSWORD)

    with pytest.raises(UsageError, match="is encrypted: give its password"):
        sign(bundle, private_key=private)
    with pytest.raises(UsageError, match="or the password is wrong"):
        sign(bundle, private_key=private, password="wrong")  # noqa: S106
    sign(bundle, private_key=private, password=PASSWORD)

    assert signature.verify(bundle, public)


def test_keys_that_cannot_sign_are_usage_errors(bundle: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    rsa, _ = key_pair(tmp_path / "rsa", key=rsa_key())

    with pytest.raises(NotFoundError, match="no private key at"):
        sign(bundle, private_key=tmp_path / "nothing.pem")
    with pytest.raises(UsageError, match="is not encrypted, but a password was given"):
        sign(bundle, private_key=keys[0], password=PASSWORD)
    for path in (rsa, keys[1]):
        with pytest.raises(UsageError, match="is not an elliptic-curve private key"):
            sign(bundle, private_key=path)
    assert not (bundle / "model.sig").exists()


def test_what_is_not_whole_is_not_signed(bundle: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"other")

    with pytest.raises(ArtifactError, match=r"model\.onnx is not the file that its manifest describes"):
        sign(bundle, private_key=keys[0])
    with pytest.raises(NotFoundError, match="is not a bundle"):
        sign(tmp_path, private_key=keys[0])
    assert not (bundle / "model.sig").exists()


def test_a_bundle_with_a_link_is_not_signed(bundle: Path, keys: tuple[Path, Path]) -> None:
    (bundle / "more").symlink_to(bundle / "model.onnx")

    with pytest.raises(UsageError, match=r"cannot be signed: .*more.* is a symlink"):
        sign(bundle, private_key=keys[0])


def test_without_model_signing_the_command_that_installs_it_is_named(
    bundle: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    code = """
import sys
from pathlib import Path
from lit_export.sign import sign
sign(Path(sys.argv[1]), private_key=Path(sys.argv[2]))
"""

    done = subprocess.run(
        [sys.executable, "-c", code, bundle, keys[0]],
        env=without(tmp_path / "hidden", "model_signing"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert 'pip install "lit-deploy[sign]"' in done.stderr
