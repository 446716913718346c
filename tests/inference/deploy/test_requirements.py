import re
import shutil
import subprocess

import pytest

from lit_infer.deploy import requirements
from lit_infer.deploy.requirements import EXTRAS, lines, parse
from lit_infer.errors import UsageError
from tests.conftest import ROOT

LOCKED = ROOT / "inference/lit_infer/deploy/locked.txt"


def names(text: str) -> set[str]:
    return set(re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE))


def test_the_pinned_packages_are_those_of_the_lock_file() -> None:
    """After a change of uv.lock: run the line below with `> inference/lit_infer/deploy/locked.txt`."""
    uv = shutil.which("uv") or ROOT / ".tools" / "bin" / "uv"
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    line = [uv, "export", "--frozen", "--offline", "--no-dev", "--no-emit-project", "--no-header", *extras]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    assert parse(LOCKED.read_text()) == parse(done.stdout), " ".join(map(str, line))


def test_an_image_has_what_its_extras_need_and_no_more() -> None:
    served = names(lines(["serve", "cpu"]))

    assert {"onnxruntime", "numpy", "pillow", "simplejpeg", "msgspec", "grpcio", "uvicorn", "starlette"} <= served
    assert not {"torch", "lightning", "wandb", "onnx", "openvino", "opencv-python-headless", "tifffile"} & served
    assert names(lines(["serve", "cpu", "opencv"])) - served == {"opencv-python-headless"}
    assert "openvino" in names(lines(["serve", "openvino"]))
    assert "onnxruntime" not in names(lines(["serve", "openvino"]))


def test_every_package_has_a_version_and_hashes_and_every_dependency_is_there() -> None:
    text = lines(EXTRAS)

    assert names(text) == {package.name for package in parse(LOCKED.read_text())}
    for block in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert re.match(r"[A-Za-z0-9._-]+==\S+ ?(; .+ )?\\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+$", block), block


def test_who_needs_a_package_is_read_however_uv_writes_it() -> None:
    one = "a==1 \\\n    --hash=sha256:0\n    # via lit-deploy\n"
    two = "b==2 \\\n    --hash=sha256:0\n    # via\n    #   a\n    #   c\n"

    first, second = parse(one + two)

    assert (first.name, first.needed_by) == ("a", {"lit-deploy"})
    assert (second.text, second.needed_by) == ("b==2 \\\n    --hash=sha256:0\n", {"a", "c"})


def test_an_extra_that_no_image_has_is_refused() -> None:
    with pytest.raises(UsageError, match="an image cannot have the extra torch; it may have serve, cpu"):
        requirements.lines(["serve", "torch"])
