import zipfile
from pathlib import Path

import pytest

from lit_infer.errors import UsageError
from lit_infer.folder.arguments import parse
from lit_infer.folder.rows.found import RowInputs
from lit_infer.rows.audio import AudioFields
from lit_infer.rows.facts import AudioField
from lit_infer.rows.files import Wanted, readers_of
from lit_infer.rows.files.audio_files import READER
from tests.support.sounds import write_recordings

FIELDS = AudioFields(AudioField(rate=8_000, samples=4_000))
WANTED = Wanted(FIELDS, {})


def test_a_file_is_a_row_which_nobody_has_opened_yet() -> None:
    (block,) = READER.blocks(Path("none.wav"), WANTED, 8)

    assert (block.count, block.columns, READER.count(Path("none.wav"), WANTED)) == (1, {"audio": [Path("none.wav")]}, 1)
    assert sorted(readers_of(FIELDS)) == [".flac", ".ogg", ".wav"]


def test_a_recording_has_no_columns() -> None:
    for wanted, option in ((Wanted(FIELDS, {}, ("id",)), "--keep"), (Wanted(FIELDS, {"audio": "x"}), "--column")):
        with pytest.raises(UsageError, match=f"{option} is for columns, and a recording has none"):
            list(READER.blocks(Path("a.wav"), wanted, 8))


def test_recordings_of_a_folder_a_list_and_an_archive(tmp_path: Path) -> None:
    paths = write_recordings(tmp_path / "a")
    (tmp_path / "a" / "notes.txt").write_text("no recording")
    (tmp_path / "list.txt").write_text(f"{paths[3]}\n{tmp_path}/none.wav\n")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(paths[0], "inside.wav")
        archive.write(tmp_path / "a" / "notes.txt", "notes.txt")
    given = [tmp_path / "a", f"@{tmp_path}/list.txt", tmp_path / "b.zip"]

    found = RowInputs(parse([str(one) for one in given]), WANTED)
    blocks = list(found.blocks(3))

    assert [block.rows.count for block in blocks] == [3, 3, 2]
    names = [Path(origin.path).name for block in blocks for origin in block.origins]
    assert names == ["a.wav", "b.wav", "c.flac", "d.ogg", "e.wav", "d.ogg", "none.wav", "inside.wav"]
    assert blocks[2].rows.columns["audio"][1] == paths[0].read_bytes()
    assert found.skipped() == {".txt": 2}
