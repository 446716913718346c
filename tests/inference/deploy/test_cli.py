"""`lit-serve containerize` as users run it, and the server that its files start."""

import json
import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import BIN, ROOT, run_command
from tests.inference.tiny import colour, save
from tests.support.server.proven import make_proven


def test_it_says_what_it_made_and_what_to_know(bundle_folder: Path, tmp_path: Path) -> None:
    done = run_command(["lit-serve", "containerize", str(bundle_folder), "--out", "image"], tmp_path)

    assert (done.returncode, done.stdout) == (0, "")
    assert "is not pinned: give --base NAME@sha256:…" in done.stderr
    assert done.stderr.endswith("next: podman build --format docker --tag lit-serve/colours:0123456789ab image\n")
    again = run_command(["lit-serve", "containerize", str(bundle_folder), "--out", "image"], tmp_path)
    assert (again.returncode, again.stderr) == (
        2,
        "error: --out image is not an empty folder: name a new one\n",
    )


def test_a_folder_called_containerize_can_be_served(tmp_path: Path) -> None:
    done = run_command(["lit-serve", "./containerize"], tmp_path)

    assert "no model at containerize" in done.stderr


@pytest.mark.slow
def test_the_wheel_and_the_model_serve_by_the_image_s_command(tmp_path: Path) -> None:
    """As the image does it, without a container: the wheel's own lit-serve, its command line, its health check."""
    model = make_proven(tmp_path / "bundle")
    assert run_command(["lit-serve", "containerize", str(model), "--out", "image"], tmp_path).returncode == 0
    made, site = tmp_path / "image", tmp_path / "site"
    (wheel,) = made.glob("*.whl")
    uv = shutil.which("uv") or ROOT / ".tools" / "bin" / "uv"
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--target", site, wheel], cwd=tmp_path, check=True
    )
    name, *options = json.loads(re.findall(r"^CMD (.+)$", (made / "Containerfile").read_text(), re.MULTILINE)[-1])
    line = [BIN / "python", site / "bin/lit-serve", name.replace("=/", f"={made}/"), *options, "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(site), "LIT_API_KEY": "", "PYTHONDONTWRITEBYTECODE": "1"}
    before = sorted(site.rglob("*"))

    with subprocess.Popen(line, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            said = (re.search(r"serving on http.*:(\d+)", text) for text in server.stderr)
            port = next(int(found[1]) for found in said if found)
            check = re.findall(r"^  CMD (.+)$", (made / "Containerfile").read_text(), re.MULTILINE)
            health = [word.replace(":8000/", f":{port}/") for word in json.loads(check[0])]
            assert subprocess.run([BIN / health[0], *health[1:]], check=False).returncode == 0
            body = save(tmp_path / "1.png", colour("green")).read_bytes()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/predict", data=body, timeout=20) as answer:
                assert json.load(answer)["label"] == "green"
            server.terminate()
            assert server.wait(30) == 0
        finally:
            server.kill()
    assert sorted(site.rglob("*")) == before
