"""A small convolutional network on the real digits, trained by least squares, as ONNX: no torch, a second to make."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer import manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.manifest import MadeWith, Manifest, Normalize, Resize, Source, Step, Tensor

SIDE, CLASSES, WIDTH = 16, 10, 32
LABELS = tuple("0123456789")


def described() -> Manifest:
    """The manifest that the graph carries."""
    return Manifest(
        name="digits",
        task="image-classification",
        source=Source(digest="0123456789abcdef" * 4, class_path="tests.Digits"),
        inputs=(Tensor(name="images", dtype="uint8", shape=("batch", SIDE, SIDE, 1)),),
        preprocess=(Step(resize=Resize(size=(SIDE, SIDE))),),
        normalize=Normalize(mean=(0.3,), std=(0.35,)),
        outputs=(Tensor(name="probabilities", dtype="float32", shape=("batch", CLASSES)),),
        labels=LABELS,
        made_with=MadeWith(versions={"onnx": "1"}, command="lit-export onnx"),
    )


def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Prepared images uint8 [1797, 16, 16, 1] and their classes."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.round(data.images * (255 / 16)).astype(np.uint8)
    large = [np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for image in pixels]
    return np.stack(large)[..., None], data.target


def write(path: Path, *, output: str = "probabilities") -> Path:
    """A residual network, uint8 in; `output` "logits" leaves the softmax out."""
    import onnx

    weights = _random_weights()
    images, classes = digits()
    features = _features(_model(weights, output="flat"), images)
    weights["fc.weight"], weights["fc.bias"] = _fit(features, classes)
    model = _model(weights, output=output)
    onnx.helper.set_model_props(model, {MANIFEST_KEY: manifest.encode(described()).decode()})
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def _random_weights() -> dict[str, NDArray[np.float32]]:
    generator = np.random.default_rng(0)

    def conv(outputs: int, inputs: int) -> NDArray[np.float32]:
        return (generator.normal(size=(outputs, inputs, 3, 3)) / np.sqrt(9 * inputs)).astype(np.float32)

    return {
        "conv1.weight": conv(WIDTH, 1),
        "conv1.bias": generator.normal(size=WIDTH).astype(np.float32) * 0.1,
        "conv2.weight": conv(WIDTH, WIDTH),
        "conv2.bias": generator.normal(size=WIDTH).astype(np.float32) * 0.1,
    }


def _model(weights: dict[str, NDArray[np.float32]], *, output: str) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "scale": np.float32(1 / 255),
        "mean": np.full((1, 1, 1, 1), 0.3, dtype=np.float32),
        "std": np.full((1, 1, 1, 1), 0.35, dtype=np.float32),
        **weights,
    }
    nodes = [
        helper.make_node("Transpose", ["images"], ["planes"], "permute", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["pixels"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "scale"], ["unit"], "scaled"),
        helper.make_node("Sub", ["unit", "mean"], ["centred"], "centred"),
        helper.make_node("Div", ["centred", "std"], ["normal"], "normal"),
        helper.make_node("Conv", ["normal", "conv1.weight", "conv1.bias"], ["a"], "node_conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "node_relu1"),
        helper.make_node("MaxPool", ["b"], ["c"], "node_pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["c", "conv2.weight", "conv2.bias"], ["d"], "node_conv2", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c", "d"], ["e"], "node_add"),
        helper.make_node("Relu", ["e"], ["f"], "node_relu2"),
        helper.make_node("AveragePool", ["f"], ["g"], "node_average", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["g"], ["flat"], "node_flatten"),
    ]
    if output != "flat":
        nodes.append(helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["logits"], "node_fc"))
    if output == "probabilities":
        nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], "node_softmax", axis=-1))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIDE, SIDE, 1])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", 512 if output == "flat" else CLASSES])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _features(model: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(None, {"images": images})[0]
    return found


def _fit(features: NDArray[np.float32], classes: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Ridge regression on the even images; the odd ones are for scoring."""
    train = np.c_[features, np.ones(len(features))][::2].astype(np.float64)
    targets = np.eye(CLASSES)[classes[::2]] * 10
    solved = np.linalg.solve(train.T @ train + 10 * np.eye(train.shape[1]), train.T @ targets)
    return solved[:-1].astype(np.float32), solved[-1].astype(np.float32)
