"""In an environment of its own: other libraries resize and crop one JPEG. Argument: the file. One line of JSON.

None of them has Pillow's or torch's pixels. Processor time of the whole process, since some bring threads of their own;
the least of many rounds, in milliseconds an image.
"""

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import kornia_rs
import numpy as np
import simplejpeg
from cykooz_resizer import FilterType, ImageData, PixelType, ResizeAlg, ResizeOptions, Resizer
from nvidia.dali import fn, pipeline_def
from PIL import Image

SIZE, ROUNDS, CALLS, BATCH = (341, 256), 15, 10, 16
CROP = np.s_[16:240, 58:282]

data = Path(sys.argv[1]).read_bytes()
photo = np.array(Image.open(io.BytesIO(data)))


def by_kornia(pixels: np.ndarray) -> np.ndarray:
    """Antialiased, as Pillow and torch are asked to be."""
    return np.ascontiguousarray(kornia_rs.imgproc.resize(pixels, SIZE[::-1], "bilinear", antialias=True)[CROP])


resizer, options = Resizer(), ResizeOptions(ResizeAlg.convolution(FilterType.bilinear))


def by_cykooz(pixels: np.ndarray) -> np.ndarray:
    """It takes bytes and a buffer of its own."""
    source = ImageData(pixels.shape[1], pixels.shape[0], PixelType.U8x3, pixels.tobytes())
    made = ImageData(*SIZE, PixelType.U8x3)
    resizer.resize(source, made, options)
    return np.ascontiguousarray(np.frombuffer(made.get_buffer(), np.uint8).reshape(SIZE[1], SIZE[0], 3)[CROP])


@pipeline_def(batch_size=BATCH, num_threads=1, device_id=None, prefetch_queue_depth=1)
def dali_pipeline() -> object:
    """On the CPU, from the files' bytes."""
    files = fn.external_source(source=lambda: [np.frombuffer(data, np.uint8)] * BATCH, dtype=None)
    pixels = fn.resize(fn.decoders.image(files, device="cpu"), resize_shorter=256, antialias=True)
    return fn.crop(pixels, crop=(224, 224))


def least_ms(call: Callable[[], object], *, images: int = 1, calls: int = CALLS) -> float:
    """Milliseconds of processor time for one image."""
    call()
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(calls):
            call()
        found.append((time.process_time() - started) / calls / images * 1e3)
    return min(found)


def decoded() -> np.ndarray:
    """The quickest decoder that these libraries' users have."""
    return simplejpeg.decode_jpeg(data, colorspace="RGB")


dali = dali_pipeline()
dali.build()
made = dali.run()[0].at(0)
assert by_kornia(photo).shape == by_cykooz(photo).shape == np.asarray(made).shape == (224, 224, 3)
print(
    json.dumps(
        {
            "resize and crop, bilinear": {
                "kornia-rs": least_ms(lambda: by_kornia(photo)),
                "cykooz-resizer": least_ms(lambda: by_cykooz(photo)),
            },
            "a JPEG to prepared pixels": {
                "simplejpeg and kornia-rs": least_ms(lambda: by_kornia(decoded())),
                "simplejpeg and cykooz-resizer": least_ms(lambda: by_cykooz(decoded())),
                "nvidia-dali on the CPU": least_ms(dali.run, images=BATCH, calls=2),
            },
        }
    )
)
