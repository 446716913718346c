"""The files of the page are in the package and nothing else is served."""

from importlib import resources

from lit_infer.server.http import page_files


def test_every_file_of_the_folder_has_a_path_and_its_media_type() -> None:
    folder = resources.files("lit_infer.server.http") / "static"

    assert sorted(page_files.NAMES.values()) == sorted(file.name for file in folder.iterdir())
    kinds = {page_files.read(name).media_type for name in page_files.NAMES.values()}
    assert kinds == {"text/html", "text/css", "text/javascript"}


def test_an_etag_belongs_to_the_content() -> None:
    first, second = page_files.read("page.js"), page_files.read("page.css")

    assert first == page_files.read("page.js")
    assert first.etag != second.etag
    assert first.etag.strip('"').isalnum()
