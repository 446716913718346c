from lit_infer import engines
from lit_infer.bench.environment import environment


def test_the_environment_says_what_the_figures_belong_to() -> None:
    found = environment()

    assert {"cpu", "cores", "cores_of_machine", "python", "platform", "lit-deploy", "onnxruntime", "numpy"} <= set(
        found
    )
    assert all(found.values())
    assert {"onnxruntime-gpu", "openvino", "torch", "tensorrt"} <= set(engines.packages())
    assert {name for name in engines.packages() if name in found} >= {"openvino", "torch"}
    assert 1 <= found["cores"] <= found["cores_of_machine"]
