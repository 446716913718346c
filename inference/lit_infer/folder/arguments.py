"""Parse the arguments of `lit-infer PATH...`.

cat.jpg  photos/  'photos/**/*.png'  -  @list.txt  s3://bucket/photos/  shard-0001.tar  photos.zip  clip.mp4
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import archives, cloud, video
from lit_infer.folder.search import MAGIC, Search, from_glob
from lit_infer.folder.sources import Archive, Bucket, FileSource, Folder, ImageSource, Inputs, Listed, Url, Video
from lit_infer.folder.video import Every
from lit_infer.images import EVERY_SUFFIX, SUFFIXES
from lit_infer.rows.files import ROW_SUFFIXES


def parse(arguments: Sequence[str], *, every: str | None = None) -> Inputs:
    """The arguments as sources. `every`: which frames of videos, `5` or `0.5s`; None: all.

    Raises NotFoundError for missing paths and for folders without images, MissingExtraError for a video where
    nothing reads them, UsageError for an `every` without a video.
    """
    wanted = Every.parse(every)
    sources = [_parse(argument, wanted) for argument in arguments]
    if every is not None and not any(isinstance(source, Video) for source in sources):
        raise UsageError(f"--every {every} is for videos ({' '.join(sorted(video.SUFFIXES))}), and none is named")
    if sum(source == Listed(None) for source in sources) > 1:
        raise UsageError("standard input (-) can be read only once")
    return Inputs(sources)


def _parse(argument: str, every: Every) -> ImageSource:
    if argument == "-":
        return Listed(None)
    if cloud.is_url(argument):
        return _parse_url(argument)
    path = Path(argument)
    if argument.startswith("@"):
        return _parse_list(Path(argument[1:]))
    if path.is_dir():
        return _parse_folder(Search(path))
    if path.exists():
        return _parse_file(path, every)
    if MAGIC & set(argument):
        return _parse_folder(from_glob(argument))
    raise NotFoundError(f"no such file or folder: {argument}")


def _parse_file(path: Path, every: Every) -> ImageSource:
    if video.is_video(path):
        video.check()
        return Video(path, every)
    return Archive(path.as_posix()) if archives.is_archive(str(path)) else FileSource(path)


def _parse_url(url: str) -> ImageSource:
    if video.is_video(Path(url)):
        raise UsageError(f"{url}: videos are read from files of this machine: fetch it first")
    if MAGIC & set(url):
        return Bucket(url)
    if cloud.is_folder(url):
        return Bucket(url)
    return Archive(url) if archives.is_archive(url) else Url(url)


def _parse_list(path: Path) -> ImageSource:
    if not path.is_file():
        raise NotFoundError(f"no such list: {path} (for a file called @{path}, write ./@{path})")
    return Listed(path)


def _parse_folder(search: Search) -> ImageSource:
    first = replace(
        search, suffixes=EVERY_SUFFIX | ROW_SUFFIXES
    ).first()  # which of them the model reads is not known yet
    if isinstance(first, OSError) and first.filename == str(search.root):
        if search.pattern:
            raise NotFoundError(f"no such folder: {search.root}")
        raise UsageError(f"cannot list {first.filename}: {first.strerror}")
    if first is None:
        where = "match" if search.pattern else "below"
        if search.pattern and Path(search.pattern[-1]).suffix.lower() in ROW_SUFFIXES:
            raise NotFoundError(f"no files match {search}")
        raise NotFoundError(
            f"no images {where} {search} (looked for {' '.join(sorted(SUFFIXES))}), nor files of other models "
            f"({' '.join(sorted(ROW_SUFFIXES))})"
        )
    return Folder(search)
