import base64
import csv
import hashlib
import zipfile
from pathlib import Path

import lit_infer
from lit_infer.deploy import wheel


def test_the_wheel_has_the_runtime_alone_and_each_file_s_digest(tmp_path: Path) -> None:
    path = wheel.build(tmp_path)

    with zipfile.ZipFile(path) as file:
        found = {name: file.read(name) for name in file.namelist()}
    record = next(name for name in found if name.endswith(".dist-info/RECORD"))
    listed = {row[0]: row[1:] for row in csv.reader(found[record].decode().splitlines())}
    assert set(listed) == set(found)
    for name, (digest, size) in listed.items():
        if name != record:
            made = base64.urlsafe_b64encode(hashlib.sha256(found[name]).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={made}", str(len(found[name])))
    package = Path(lit_infer.__file__).parent
    for name in ("server/http/static/index.html", "server/cli.py", "deploy/locked.txt"):
        assert found[f"lit_infer/{name}"] == (package / name).read_bytes()
    assert {name.partition("/")[0] for name in found} == {"lit_infer", record.partition("/")[0]}
    assert not [name for name in found if "__pycache__" in name]


def test_its_commands_are_those_of_the_runtime(tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel.build(tmp_path)) as file:
        (name,) = [name for name in file.namelist() if name.endswith("entry_points.txt")]
        commands = file.read(name).decode().splitlines()

    assert "lit-serve = lit_infer.server.cli:main" in commands
    assert not [line for line in commands if "lit_export" in line or "lit_trainer" in line]


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()

    assert wheel.build(tmp_path / "a").read_bytes() == wheel.build(tmp_path / "b").read_bytes()
