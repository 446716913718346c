"""What each peer does with its images: decode, resize, crop, run the graph on one thread, name the best class."""

import os

import numpy
import onnxruntime
import simplejpeg
from PIL import Image


class PeerModel:
    """The graph in LIT_PEER_GRAPH: uint8 [batch, 224, 224, 3] in, probabilities out."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = os.environ["LIT_PEER_GRAPH"]
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name

    def predict(self, jpegs: list[bytes]) -> list[dict[str, object]]:
        """The best class of each image and its probability."""
        images = numpy.stack([prepared(jpeg) for jpeg in jpegs])
        rows = self.session.run(None, {self.name: images})[0]
        return [{"index": int(row.argmax()), "score": float(row.max())} for row in rows]


def prepared(jpeg: bytes) -> numpy.ndarray:
    """Resize the shorter side to 256, crop the centre to 224."""
    image = Image.fromarray(simplejpeg.decode_jpeg(jpeg, "RGB"))
    width, height = image.size
    short = min(width, height)
    image = image.resize((256 * width // short, 256 * height // short), Image.Resampling.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    return numpy.asarray(image.crop((left, top, left + 224, top + 224)))
