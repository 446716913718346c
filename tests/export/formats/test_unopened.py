"""lit_export.formats.unopened: what a file says of itself. Whole reports: test_inspection."""

import zipfile
from pathlib import Path

import pytest

from lit_export.formats import unopened
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.engines.tensorrt import pack
from lit_infer.errors import ArtifactError
from tests.inference.tiny import described, graph_bytes


def test_an_onnx_file_tells_its_graph_and_its_manifest(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(graph_bytes(described().embedded()))

    found = unopened.onnx(tmp_path / "model.onnx")

    assert '"colours"' in str(found.manifest)
    assert dict(found.before)["opset"] == "ai.onnx 20 · IR 10"
    assert dict(found.before)["inputs"] == "images uint8 [batch, 8, 8, 3]"
    assert dict(found.before)["graph"] == "4 nodes, 2 weights"


@pytest.mark.parametrize("large", [False, True])
def test_an_archive_is_listed_and_no_manifest_is_read_that_would_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        for name in ("model/code/a.py", "model/code/b.py", "model/data.pkl"):
            archive.writestr(name, b"")
        archive.writestr(f"model/extra/{MANIFEST_KEY}", b"{}")
    if large:
        monkeypatch.setattr(unopened, "_LARGEST_MANIFEST", 1)

    found = unopened.archive(tmp_path / "model.pt")

    assert found.manifest == (None if large else b"{}")
    assert found.after == (("records", "code (2), data.pkl, extra"),)


def test_an_openvino_file_is_read_as_plain_xml(tmp_path: Path) -> None:
    path = tmp_path / "model.xml"
    path.write_text(
        f'<net version="11"><layers><layer/><layer/></layers><rt_info><{MANIFEST_KEY} value="{{}}"/></rt_info></net>'
    )

    found = unopened.openvino(path)

    assert (found.manifest, dict(found.before)) == ("{}", {"IR": "11", "graph": "2 layers"})


def test_a_tensorrt_engine_has_its_manifest_before_it(tmp_path: Path) -> None:
    (tmp_path / "model.engine").write_bytes(pack("{}", b"engine"))

    assert unopened.tensorrt(tmp_path / "model.engine").manifest == "{}"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("onnx", b"no graph", "is not a complete ONNX file"),
        ("archive", b"PK\x03\x04", "is not a complete archive"),
        ("openvino", b"<net>", "is not a complete OpenVINO file"),
        ("openvino", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><net>&a;</net>', "declares entities of its own"),
    ],
)
def test_a_damaged_or_hostile_file_is_an_artifact_error(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / "file").write_bytes(data)

    with pytest.raises(ArtifactError, match=says):
        getattr(unopened, name)(tmp_path / "file")


def test_several_lines_stand_under_one_name_and_long_values_are_cut() -> None:
    assert list(unopened.titled("inputs", ["a", "b"])) == [("inputs", "a"), ("", "b")]
    assert unopened.short("short") == "short"
    assert len(unopened.short("x" * 1000)) <= 60
