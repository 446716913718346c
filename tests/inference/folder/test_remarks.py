from lit_infer.folder.remarks import lines
from lit_infer.images.notes import NOTES


def test_a_run_without_any_says_nothing() -> None:
    assert lines({}, {}) == []


def test_skipped_files_are_named_by_suffix() -> None:
    assert lines({".txt": 1}, {}) == ["skipped: 1 file is no image and was left out (1 .txt)"]
    assert lines({".txt": 1200, ".json": 3}, {}) == [
        "skipped: 1,203 files are no images and were left out (1,200 .txt, 3 .json)"
    ]
    many = {f".{number}": 2 for number in range(20)}
    assert lines(many, {})[0].endswith("2 .7, 24 of other kinds)")


def test_for_heic_the_package_that_reads_it_is_named() -> None:
    assert lines({".heic": 2}, {})[0].endswith('HEIC needs: pip install "lit-deploy[heif]"')


def test_every_note_is_said_once_for_all_its_images() -> None:
    said = lines({}, {"alpha": 1, "orientation": 1234, "depth": 2, "profile": 3})

    assert said == [
        "note: 1,234 images with an EXIF orientation, which this model's preprocessing does not apply",
        "note: 2 images with pixels of more than 8 bits, of which 8 are used",
        "note: 1 image with transparency, which is dropped",
        "note: 3 images with a colour profile other than sRGB, which is ignored",
    ]
    assert len(said) == len(NOTES)


def test_what_is_no_file_of_rows_is_not_called_an_image() -> None:
    assert lines({".md": 1}, {}, of_rows=True) == ["skipped: 1 file is no file of rows and was left out (1 .md)"]
