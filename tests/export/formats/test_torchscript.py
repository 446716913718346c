"""lit_export.formats.torchscript: traced graphs, without their author's source."""

import zipfile
from pathlib import Path

import pytest

from lit_export.formats import torchscript
from lit_infer.manifest import Precision
from tests.export.formats.jobs import assert_runs, make_job


@pytest.mark.parametrize(("precision", "within"), [("fp32", 1e-5), ("bf16", 5e-2)])
def test_the_file_answers_as_the_module_on_any_batch(tmp_path: Path, precision: Precision, within: float) -> None:
    found = torchscript.write(make_job(precision=precision), tmp_path / "model.pt")

    assert found.exporter.startswith("torch.jit.trace ")
    assert_runs(found.path, within=within)


def test_the_second_export_of_a_process_is_the_first_to_the_byte(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        torchscript.write(make_job(), tmp_path / folder / "model.pt")

    assert (tmp_path / "a/model.pt").read_bytes() == (tmp_path / "b/model.pt").read_bytes()


def test_the_archive_has_no_debug_records_and_no_path_of_ours(tmp_path: Path) -> None:
    torchscript.write(make_job(), tmp_path / "model.pt")

    with zipfile.ZipFile(tmp_path / "model.pt") as archive:
        data = {name: archive.read(name) for name in archive.namelist()}
    assert not [name for name in data if name.endswith(".debug_pkl")]
    assert not [name for name, raw in data.items() if b"jobs.py" in raw]
