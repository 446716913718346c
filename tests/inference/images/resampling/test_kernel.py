"""The compiled resize has the bits of Pillow and of torch, and touches no memory but its own."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lit_infer.images.resampling import by_torch, kernel

pytestmark = pytest.mark.skipif(not kernel.is_built(), reason="there is no compiled kernel here")
GCC = shutil.which("gcc") or ""
SIDES = st.integers(1, 300) | st.integers(1, 428).map(lambda sevenths: 7 * sevenths)


def noise(height: int, width: int, channels: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def pillow_s(array: NDArray[np.uint8], size: tuple[int, int], name: str) -> NDArray[np.uint8]:
    bands = [Image.fromarray(np.ascontiguousarray(array[:, :, band])) for band in range(array.shape[2])]
    return np.stack([np.asarray(band.resize(size, kernel.PILLOW[name])) for band in bands], axis=2)


@st.composite
def boxes(draw: st.DrawFn, size: tuple[int, int]) -> kernel.Box:
    left, top = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    return left, top, draw(st.integers(left + 1, size[0])), draw(st.integers(top + 1, size[1]))


@pytest.mark.parametrize("name", sorted(kernel.PILLOW))
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_any_box_of_any_size_has_pillow_s_bits(name: str, data: st.DataObject) -> None:
    height, width, *size = (data.draw(SIDES) for _ in range(4))
    array = noise(
        height, width, data.draw(st.sampled_from([1, 2, 3, 4, 5, 32]) if height * width < 9000 else st.just(3))
    )
    left, top, right, bottom = box = data.draw(boxes((size[0], size[1])))

    found = kernel.by_pillow(array, (size[0], size[1]), name, box)

    np.testing.assert_array_equal(found, pillow_s(array, (size[0], size[1]), name)[top:bottom, left:right])


@pytest.mark.parametrize(("width", "height"), [(300, 500), (500, 300), (30, 3000), (3000, 30)])
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_sizes_at_which_pillow_turns_the_order_of_its_passes(width: int, height: int, extra: int) -> None:
    array, after = noise(height, width, 3), (max(1, width - 5), max(1, height - 10 + extra))

    np.testing.assert_array_equal(kernel.by_pillow(array, after, "bicubic"), pillow_s(array, after, "bicubic"))


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("name", sorted(kernel.TORCH))
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_any_box_of_any_size_has_torch_s_bits(name: str, antialias: bool, data: st.DataObject) -> None:
    torch = pytest.importorskip("torch")
    height, width, *size = (data.draw(st.integers(2, 300)) for _ in range(4))
    array = noise(height, width, data.draw(st.sampled_from([1, 2, 3, 4, 7])))
    left, top, right, bottom = box = data.draw(boxes((size[0], size[1])))

    found = kernel.by_torch(array, (size[0], size[1]), name, box, antialias=antialias)

    tensor = torch.from_numpy(array).permute(2, 0, 1)[None].contiguous()
    how = {"mode": name, "antialias": antialias, "align_corners": False}
    wanted = torch.nn.functional.interpolate(tensor, (size[1], size[0]), **how)[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(found, wanted[top:bottom, left:right])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.booleans())
@example(1, 1, 40, 40, False)
@settings(deadline=None, max_examples=100)
def test_numpy_s_version_of_torch_has_the_same_bits(
    height: int, width: int, wide: int, high: int, antialias: bool
) -> None:
    array = noise(height, width, 3)
    found = kernel.by_torch(array, (wide, high), "bicubic", antialias=antialias)

    wanted: Any = array
    for axis, length in ((1, wide), (0, high)):
        if wanted.shape[axis] != length:
            wanted = by_torch._one_pass(wanted, axis, length, "bicubic", antialias=antialias)
    np.testing.assert_array_equal(found, wanted)


def views() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    whole = noise(60, 80, 4)
    yield "some channels", whole[:, :, :3]
    yield "every other row", whole[::2]
    yield "upside down", whole[::-1, ::-1]
    yield "channels first", noise(3, 60, 80).transpose(1, 2, 0)
    read_only = noise(60, 80, 3)
    read_only.flags.writeable = False
    yield "read-only", read_only
    yield "one channel by a new axis", noise(60, 80, 1)[:, :, 0][:, :, None]


@pytest.mark.parametrize("view", [pytest.param(view, id=name) for name, view in views()])
def test_any_view_of_memory_is_read_as_it_is(view: NDArray[np.uint8]) -> None:
    found = kernel.by_pillow(view, (33, 21), "bilinear")

    np.testing.assert_array_equal(found, pillow_s(view, (33, 21), "bilinear"))


def test_what_it_cannot_resize_is_left_to_others() -> None:
    floats = np.zeros((4, 4, 3), np.float32)

    assert kernel.by_pillow(floats, (2, 2), "bilinear") is None
    assert kernel.by_pillow(noise(4, 4, 33), (2, 2), "bilinear") is None
    assert kernel.by_pillow(noise(4, 4, 3), (2, 2), "nearest") is None
    assert kernel.by_torch(noise(4, 4, 3), (2, 2), "lanczos", antialias=True) is None


_ASKED = {"source": noise(5, 4, 3), "out": noise(2, 2, 3), "size": (2, 2), "box": (0, 0, 2, 2), "filter": "box"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"source": np.zeros((5, 4, 3), np.float32)}, "source must be uint8"),
        ({"source": noise(5, 4, 3)[:, :, 0]}, "source must be uint8 of .height, width, channels."),
        ({"source": noise(5, 4, 33)}, "1 to 32 channels"),
        ({"source": noise(5, 4, 3)[::-1]}, "rows one after another"),
        ({"source": noise(5, 0, 3)}, "no length"),
        ({"out": noise(2, 3, 3)}, "the shape of the box"),
        ({"out": noise(2, 2, 4)}, "the source's channels"),
        ({"out": noise(2, 2, 4)[:, :, :3]}, "side by side"),
        ({"size": (0, 2)}, "size must be positive"),
        ({"size": (1 << 30, 2)}, "size must be positive"),
        ({"box": (0, 0, 3, 2)}, "the box must lie"),
        ({"box": (1, 0, 1, 2)}, "the box must lie"),
        ({"box": (-1, 0, 1, 2)}, "the box must lie"),
        ({"filter": "sinc"}, "filter is not known"),
    ],
)
def test_sizes_are_checked_before_memory_is_touched(changed: dict[str, Any], reason: str) -> None:
    asked = _ASKED | changed

    with pytest.raises(ValueError, match=reason):
        kernel._kernel.resize_crop(*asked.values(), False, True, False)


def test_a_target_that_is_read_only_is_refused() -> None:
    out = noise(2, 2, 3)
    out.flags.writeable = False

    with pytest.raises((ValueError, BufferError)):
        kernel._kernel.resize_crop(noise(5, 4, 3), out, (2, 2), (0, 0, 2, 2), "box", False, True, False)


def test_threads_do_not_meet() -> None:
    arrays = [noise(90, 120, 3, seed) for seed in range(40)]
    wanted = [pillow_s(array, (50, 37), "bicubic") for array in arrays]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda array: kernel.by_pillow(array, (50, 37), "bicubic"), arrays))

    np.testing.assert_array_equal(np.stack(found), np.stack(wanted))


def words_where(pixels: str) -> subprocess.CompletedProcess[str]:
    code = "from lit_infer.images.resampling import kernel; print(kernel.is_built(), kernel.words())"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"LIT_PIXELS": pixels},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_switched_off_by_the_environment() -> None:
    assert words_where("pillow").stdout == "False Pillow and NumPy, as LIT_PIXELS=pillow says\n"
    assert "with the bits of Pillow and torch" in words_where("").stdout
    assert "LIT_PIXELS=pil is not known" in words_where("pil").stderr


# Resizes at random with the module that argument 1 names, in memory that the sanitizers watch, against Pillow.
RANDOM = """
import importlib.util, sys
import numpy as np
from PIL import Image
spec = importlib.util.spec_from_file_location("_kernel", sys.argv[1])
built = importlib.util.module_from_spec(spec)
spec.loader.exec_module(built)
from lit_infer.images.resampling import kernel
kernel._kernel = built
assert kernel.words() == "the compiled kernel, with the bits of Pillow and torch", kernel.words()
random = np.random.default_rng(0)
for count in range(300):
    height, width, wide, high = (int(side) for side in random.integers(1, 120, 4) // random.choice([1, 1, 1, 9], 4) + 1)
    channels, name = int(random.integers(1, 6)), sorted(kernel.PILLOW)[count % 5]
    array = random.integers(0, 256, (height, width, channels), dtype=np.uint8)
    left, top = int(random.integers(wide)), int(random.integers(high))
    box = left, top, int(random.integers(left, wide)) + 1, int(random.integers(top, high)) + 1
    found = kernel.by_pillow(array, (wide, high), name, box)
    bands = [Image.fromarray(np.ascontiguousarray(array[:, :, band])) for band in range(channels)]
    wanted = np.stack([np.asarray(band.resize((wide, high), kernel.PILLOW[name])) for band in bands], axis=2)
    assert np.array_equal(found, wanted[top : box[3], left : box[2]]), (array.shape, wide, high, name, box)
    for antialias in (True, False):
        kernel.by_torch(array, (wide, high), ("bilinear", "bicubic")[count % 2], box, antialias=antialias)
print("all equal")
"""


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["", "-DLIT_PLAIN"], ids=["with AVX2", "plain C"])
@pytest.mark.skipif(not (sys.platform.startswith("linux") and GCC), reason="gcc on Linux")
def test_it_touches_no_memory_but_its_own(flag: str, tmp_path: Path) -> None:
    where = subprocess.run([GCC, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    if not Path(sanitizer := where.stdout.strip()).is_absolute():
        pytest.skip("gcc has no AddressSanitizer here")
    built, source = tmp_path / "_kernel.so", Path(kernel.__file__).with_name("kernel.c")
    line = [GCC, "-std=c11", "-O1", "-g", "-ffp-contract=off", "-fPIC", "-shared", *([flag] if flag else [])]
    line += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{sysconfig.get_path('include')}"]
    subprocess.run([*line, str(source), "-lm", "-o", str(built)], check=True)

    watched = {"LD_PRELOAD": sanitizer, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"}
    done = subprocess.run(
        [sys.executable, "-c", RANDOM, str(built)],
        env={**os.environ, **watched},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout.strip()) == (0, "all equal"), done.stderr[-3000:]
