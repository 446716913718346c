"""Every call of the protocol, as its clients make it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict

from lit_infer.server.grpc import inference_pb2 as pb
from lit_infer.server.models.metrics import Metrics
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from lit_infer.server.oip.tensors import split_bytes
from lit_infer.server.settings import Settings
from tests.inference.tiny import LABELS, colour
from tests.support.server.proven import expected
from tests.support.server.requests import element, png
from tests.support.server.rig import Rig, asked, probabilities

BLUE = colour("blue")[None]


def test_raw_tensors_are_answered_raw(rig: Rig) -> None:
    images = np.stack([colour("red"), colour("green", 90)])

    answer = rig.ask("ModelInfer", asked(images, id="7", model_version="1"))

    assert np.allclose(probabilities(answer), expected(images))
    assert (answer.model_name, answer.model_version, answer.id) == ("colours", "1", "7")


def test_typed_tensors_are_answered_raw(rig: Rig) -> None:
    request = pb.ModelInferRequest(model_name="colours")
    tensor = request.inputs.add(name="images", datatype="UINT8", shape=BLUE.shape)
    tensor.contents.uint_contents.extend(BLUE.ravel().tolist())

    assert np.allclose(probabilities(rig.ask("ModelInfer", request)), expected(BLUE))


def test_many_typed_images_are_answered(rig: Rig) -> None:
    """More than is looked at in the event loop."""
    images = np.stack([colour(LABELS[i % 3], 1 + i % 255) for i in range(1500)])
    request = pb.ModelInferRequest(model_name="colours")
    tensor = request.inputs.add(name="images", datatype="UINT8", shape=images.shape)
    tensor.contents.uint_contents.extend(images.ravel().tolist())

    assert np.allclose(probabilities(rig.ask("ModelInfer", request)), expected(images))


def test_images_are_bytes_and_classes_are_value_index_label(rig: Rig) -> None:
    request = pb.ModelInferRequest(model_name="colours")
    tensor = request.inputs.add(name="images", datatype="BYTES", shape=[2])
    tensor.contents.bytes_contents.extend([png("red"), png("blue")])
    request.outputs.add(name="probabilities").parameters["classification"].int64_param = 1

    answer = rig.ask("ModelInfer", request)

    (output,), (raw,) = answer.outputs, answer.raw_output_contents
    assert (output.datatype, list(output.shape)) == ("BYTES", [2, 1])
    texts = [element.decode().split(":") for element in split_bytes(memoryview(raw), "probabilities", most=2)]
    assert [text[1:] for text in texts] == [["0", "red"], ["2", "blue"]]
    assert np.allclose([float(text[0]) for text in texts], expected(BLUE)[0, 2])


def test_calls_that_come_together_get_each_its_own_answer(rig: Rig) -> None:
    images = [colour(LABELS[i % 3], 60 + i) for i in range(100)]

    answers = rig.asks("ModelInfer", [asked(image[None], id=str(i)) for i, image in enumerate(images)])

    assert [answer.id for answer in answers] == [str(i) for i in range(100)]
    assert np.allclose(np.concatenate([probabilities(answer) for answer in answers]), expected(np.stack(images)))


def test_one_that_is_wrong_fails_alone(rig: Rig) -> None:
    wrong = asked(BLUE)
    wrong.raw_input_contents[0] = b"?"

    answers = rig.asks("ModelInfer", [asked(BLUE), wrong, asked(BLUE), wrong])

    assert [isinstance(answer, pb.ModelInferResponse) for answer in answers] == [True, False, True, False]


def test_health_and_descriptions(rig: Rig) -> None:
    assert rig.ask("ServerLive", pb.ServerLiveRequest()).live
    assert rig.ask("ServerReady", pb.ServerReadyRequest()).ready
    assert rig.ask("ModelReady", pb.ModelReadyRequest(name="colours", version="1")).ready
    server = rig.ask("ServerMetadata", pb.ServerMetadataRequest())
    assert server.name == "lit-serve"
    assert "binary_tensor_data" in server.extensions
    model = rig.ask("ModelMetadata", pb.ModelMetadataRequest(name="colours"))
    assert (list(model.versions), model.inputs[0].datatype, list(model.inputs[0].shape)) == (
        ["1"],
        "UINT8",
        [-1, 8, 8, 3],
    )
    config = rig.ask("ModelConfig", pb.ModelConfigRequest(name="colours", version="1")).config
    assert (config.max_batch_size, list(config.input[0].dims)) == (8, [8, 8, 3])
    assert (config.input[0].data_type, config.output[0].data_type) == (pb.TYPE_UINT8, pb.TYPE_FP32)
    (one,) = rig.ask("RepositoryIndex", pb.RepositoryIndexRequest()).models
    assert (one.name, one.version, one.state) == ("colours", "1", "READY")


def test_statistics_and_metrics_count_what_was_done(repository: Repository) -> None:
    metrics = Metrics()
    rig = Rig(repository, metrics=metrics)

    def stats(name: str) -> Any:
        (found,) = rig.ask("ModelStatistics", pb.ModelStatisticsRequest(name=name)).model_stats
        return found

    before = stats("colours")
    rig.ask("ModelInfer", asked(np.concatenate([BLUE] * 3)))
    rig.refused("ModelInfer", asked(BLUE[:, :2]))
    after = stats("")

    assert after.inference_count - before.inference_count == 3
    assert after.execution_count - before.execution_count == 1
    for name in ("success", "fail"):
        assert getattr(after.inference_stats, name).count - getattr(before.inference_stats, name).count == 1
    counted = metrics.text(repository.slots).decode()
    assert 'lit_serve_request_rows_sum{model="colours",version="1"} 3.0' in counted
    rig.close()


def test_models_are_loaded_and_unloaded_where_that_is_allowed(proven: Path) -> None:
    repository = Repository(parse([str(proven)]), Opening(device="cpu"))
    rig = Rig(repository, Settings(explicit_control=True))

    rig.ask("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name="colours"))
    unloaded = rig.refused("ModelInfer", asked(BLUE))
    ready = rig.ask("ModelReady", pb.ModelReadyRequest(name="colours")).ready
    models = rig.ask("RepositoryIndex", pb.RepositoryIndexRequest(ready=True)).models
    rig.ask("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="colours"))

    assert (unloaded.code().name, ready, list(models)) == ("UNAVAILABLE", False, [])
    assert np.allclose(probabilities(rig.ask("ModelInfer", asked(BLUE))), expected(BLUE))
    odd = pb.RepositoryModelLoadRequest(model_name="colours")
    odd.parameters["config"].string_param = "{}"
    assert rig.refused("RepositoryModelLoad", odd).code().name == "UNIMPLEMENTED"
    unknown = rig.refused("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="none"))
    assert unknown.code().name == "NOT_FOUND"
    rig.close()
    repository.close()


@pytest.mark.parametrize("verb", ["Load", "Unload"])
def test_elsewhere_they_are_not(rig: Rig, verb: str) -> None:
    request = getattr(pb, f"RepositoryModel{verb}Request")(model_name="colours")

    assert "--model-control explicit" in str(rig.refused(f"RepositoryModel{verb}", request).details())
    assert rig.ask("ModelReady", pb.ModelReadyRequest(name="colours")).ready


def test_pictures_can_be_sent_under_the_name_that_describes_them(rig: Rig) -> None:
    name = "colours/images"
    metadata = rig.ask("ModelMetadata", pb.ModelMetadataRequest(name=name))
    config = rig.ask("ModelConfig", pb.ModelConfigRequest(name=name)).config
    request = pb.ModelInferRequest(model_name=name)
    request.inputs.add(name="images", datatype=metadata.inputs[0].datatype, shape=[1, *metadata.inputs[0].shape[1:]])
    request.raw_input_contents.append(element(png("green")))

    assert int(np.argmax(probabilities(rig.ask("ModelInfer", request)))) == 1
    assert (metadata.name, config.input[0].data_type) == (name, pb.TYPE_STRING)
    assert pb.TYPE_STRING == 13  # Triton's number, by which its clients know it
    assert MessageToDict(config)["input"][0]["dataType"] == "TYPE_STRING"
