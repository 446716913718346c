"""A request to a model whose images are cut: batches of tiles one after the other, each queued with those of others.

Images are decoded and cut in a thread of the server, within the limits of images.
"""

import asyncio
import time
from collections.abc import Sequence

import msgspec
import numpy as np

from lit_infer import tiling
from lit_infer.errors import InputError
from lit_infer.predictions import Prediction
from lit_infer.server.models.inference import Gone, infer
from lit_infer.server.models.opening import Served
from lit_infer.server.results import Items, Result
from lit_infer.tasks import Ask, Outputs


async def infer_tiles(
    served: Served, of: tiling.TileRecipe, images: Sequence[bytes], wanted: Ask, *, timeout: float, gone: Gone | None
) -> tuple[list[msgspec.Struct], Result]:
    """The answers for images, and what they took. `timeout`: for each batch, until it begins.

    Raises what `infer` raises; InputError for the first image that cannot be answered.
    """
    submitted = time.perf_counter()
    ask = msgspec.structs.replace(wanted, limits=served.limits)
    batches = tiling.batches(((image, ask) for image in images), of, served.runner.largest)
    found: list[msgspec.Struct] = []
    rows, queue, prepare_s, infer_s = 0, 0.0, 0.0, 0.0
    while (parts := await asyncio.to_thread(next, batches, None)) is not None:
        prepared, took = await asyncio.to_thread(tiling.prepare, parts, of)
        outputs: Outputs = ()
        done: Result | None = None
        if not all(isinstance(one, InputError) for one in prepared):
            blank = np.zeros(of.to.shape, of.to.dtype)
            pixels = np.stack([blank if isinstance(one, InputError) else one.pixels for one in prepared])
            done = await infer(served, Items(arrays=(pixels,)), timeout=timeout, gone=gone)
            outputs, rows = done.outputs, rows + done.rows
            queue, infer_s = max(queue, done.queue), infer_s + done.compute_infer
        prepare_s += sum(took) / 1e3 + (0.0 if done is None else done.compute_input)
        ran = tiling.ran(parts, prepared, outputs, took, 0.0)
        for prediction in await asyncio.to_thread(list, tiling.merged(ran)):
            found.append(_answer(prediction, len(found), len(images)))
    return found, Result((), rows, queue, prepare_s, infer_s, submitted)


def _answer(prediction: Prediction, index: int, count: int) -> msgspec.Struct:
    if prediction.error is not None:
        where = f"item {index}: " if count > 1 else ""
        raise InputError(f"{where}{prediction.error}", code=prediction.code or "undecodable")
    answer: msgspec.Struct = prediction.answer
    return answer
