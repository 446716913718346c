"""lit_infer.folder.video: the frames of real video files, made here by FFmpeg."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from lit_infer.errors import InputError, UsageError
from lit_infer.folder import Table, run_job, video
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.folder.video import Every
from lit_infer.predictor import Predictor
from tests.conftest import run_command

COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
FRAMES, RATE = 12, 4


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds, one of each colour, 70 x 50 pixels."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 70, 50, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        for number in range(FRAMES):
            pixels = np.full((50, 70, 3), COLOURS[number // RATE], dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("text", "times"),
    [
        (None, [number / RATE for number in range(FRAMES)]),
        ("5", [0.0, 1.25, 2.5]),
        ("1s", [0.0, 1.0, 2.0]),
        ("0.6s", [0.0, 0.75, 1.5, 2.25]),
        ("100", [0.0]),
    ],
)
def test_every_so_many_frames_or_seconds(clip: Path, text: str | None, times: list[float]) -> None:
    assert [frame.seconds for frame in video.frames(clip, Every.parse(text))] == pytest.approx(times)


@pytest.mark.parametrize("text", ["0", "-1", "0s", "five", "1m", "2.5"])
def test_another_every_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"give a number of frames \(5\), or seconds \(0\.5s\)"):
        Every.parse(text)


def test_a_frame_is_an_image_with_the_pixels_that_ffmpeg_decodes(clip: Path, tmp_path: Path) -> None:
    with av.open(clip) as container:
        wanted = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]

    for frame, pixels in zip(video.frames(clip, Every()), wanted, strict=True):
        path = tmp_path / "frame.ppm"
        path.write_bytes(frame.read(2**20))
        assert np.array_equal(np.asarray(Image.open(path)), pixels)


def test_a_frame_above_the_limit_is_an_error_of_its_own(clip: Path) -> None:
    with pytest.raises(InputError, match="70 x 50 pixels; the limit is 1,000") as caught:
        next(video.frames(clip, Every())).read(1000)

    assert caught.value.code == "too_many_bytes"


def test_a_video_gives_a_row_for_each_frame_with_its_time(clip: Path, predictor: Predictor, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    inputs = parse([str(clip)], every="1s")

    summary = run_job(predictor, inputs, Job(output=out))

    assert summary.count == 3
    header, *lines = out.read_text().splitlines()
    assert header.startswith("path,seconds,label,")
    assert [line.split(",")[:2] for line in lines] == [[f"{clip}#t={one}.000", f"{one}.0"] for one in range(3)]


def test_the_same_run_is_resumed_and_another_every_is_not(clip: Path, predictor: Predictor, tmp_path: Path) -> None:
    rows, taken = Job(output=tmp_path / "rows.jsonl"), []

    def stop(row: object) -> None:
        taken.append(row)
        if len(taken) == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(predictor, parse([str(clip)]), rows, each=stop)
    again = Job(output=rows.output, resume=True)
    with pytest.raises(UsageError, match="resume"):
        run_job(predictor, parse([str(clip)], every="2"), again)
    assert run_job(predictor, parse([str(clip)]), again).count == FRAMES


def test_images_beside_a_video_have_no_time(clip: Path, colours: Path, predictor: Predictor) -> None:
    image, rows = next(colours.rglob("*.png")), []

    run_job(predictor, parse([str(image), str(clip)], every="6"), Job(), each=rows.append)

    assert [row["seconds"] for row in rows] == [None, 0.0, 1.5]


def test_images_alone_have_no_such_column(predictor: Predictor) -> None:
    assert "seconds" not in Table.of(predictor.manifest).columns


def test_a_damaged_video_ends_with_an_error_row(clip: Path, predictor: Predictor, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:200])
    rows: list[dict[str, object]] = []

    summary = run_job(predictor, parse([str(broken)]), Job(), each=rows.append)

    assert (summary.count, summary.failed) == (1, 1)
    assert (rows[0]["path"], rows[0]["code"]) == (str(broken), "bad_video")


def test_every_without_a_video_is_refused(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    done = run_command(["lit-infer", str(colours), "-m", str(bundle_folder), "--every", "5"], tmp_path)

    assert done.returncode == 2
    assert "--every 5 is for videos" in done.stderr


def test_a_video_at_a_url_is_refused_with_the_cure() -> None:
    with pytest.raises(UsageError, match="fetch it first"):
        parse(["https://example.org/clip.mp4"])


def test_the_number_of_frames_is_told_beforehand(clip: Path) -> None:
    assert [video.count(clip, Every.parse(text)) for text in (None, "5", "1s")] == [12, 3, None]
