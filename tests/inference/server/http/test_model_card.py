from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from lit_infer import manifest
from lit_infer.manifest import DataScore, Latency, MadeWith, Normalize, PixelProof, Proof, Score, Source, Unexercised
from lit_infer.proof_words import AS_STATED
from lit_infer.server.app import create_app
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from tests.inference.tiny import DATE, rewrite
from tests.support.server.client import Client
from tests.support.server.proven import make_proven

SOURCE = Source(
    digest="0123456789abcdef" * 4,
    class_path="tests.Colours",
    reference="acme/pets/model-7h2k9x:best",
    run="pets/7h2k9x",
    git_commit="1fafbd4",
    score=Score(monitor="val_accuracy", mode="max", value=0.93),
)

PROOF = Proof(
    inputs="noise",
    rows=3,
    lines=9,
    lines_run=8,
    pixels=PixelProof(
        transform="lab:val", images=9, source="validation data", max_difference=0.5 / 255, allowed=1 / 255
    ),
    unexercised=(Unexercised(file="pkg/net.py", line=7, text="x = x + 1", what="never ran"),),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A model of each task, and a lone graph file."""
    folder = tmp_path_factory.mktemp("cards")
    made_with = MadeWith(versions={"onnx": "1"}, command="lit-export onnx --checkpoint /home/ann/x.ckpt", date=DATE)
    normalize = Normalize(mean=(0.5,) * 3, std=(0.25,) * 3)
    full = make_proven(folder / "full", name="full", source=SOURCE, made_with=made_with, normalize=normalize)
    (graph,) = manifest.read(full).graphs
    score, latency = (
        DataScore(metric="accuracy", value=0.9, eager=0.9, images=10),
        Latency(ms=1.5, batch_size=8, threads=2, cpu="Z80"),
    )
    rewrite(full, graphs=(replace(graph, opset=20, score=score, latency=latency),), proof=PROOF)
    vectors = make_proven(folder / "vectors", name="vectors", task="image-embedding", labels=None)
    numbers = make_proven(folder / "numbers", name="numbers", task="tensor", labels=None, preprocess=())
    lone = f"lone={full / 'model.onnx'}"
    repository = Repository(parse([str(full), str(vectors), str(numbers), lone]), Opening(device="cpu"))
    client = Client(create_app(repository))
    yield client
    client.close()
    repository.close()


def card(client: Client, name: str) -> Any:
    answer = client.get(f"/v2/models/{name}/card")
    assert answer.status_code == 200
    assert client.get(f"/v2/models/{name}/versions/1/card").json() == answer.json()
    return answer.json()


def test_a_card_says_where_a_model_comes_from_and_how_its_graph_was_proven(served: Client) -> None:
    found = card(served, "full")

    assert (found["name"], found["version"], found["task"], found["labels"]) == ("full", "1", "image-classification", 3)
    assert found["source"]["reference"] == SOURCE.reference
    assert found["source"]["digest"] == SOURCE.digest
    assert found["source"]["score"] == {"monitor": "val_accuracy", "mode": "max", "value": 0.93}
    graph = found["graph"]
    assert (graph["file"], graph["precision"], graph["opset"]) == ("model.onnx", "fp32", 20)
    assert (len(graph["sha256"]), graph["latency"]["ms"], graph["score"]["images"]) == (64, 1.5, 10)
    assert graph["parity"]["max_abs"] == 1e-7
    assert graph["verdict"] == (
        "proven on 3 rows of seeded noise (batches 1, 2), 1 of 9 lines of forward never ran, max difference 1.0e-07"
    )
    assert found["proof"]["unexercised"][0]["file"] == "pkg/net.py"
    assert found["preprocess"][1] == {"center_crop": {"size": 8, "rounding": "even", "smaller": "pad"}}
    assert found["pixels"] == (
        "compared against lab:val on 9 images (validation data), up to 0.002 apart where 0.0039 was allowed"
    )
    assert found["normalize"]["std"] == [0.25] * 3
    assert found["made_with"] == {"versions": {"onnx": "1"}, "date": DATE}


@pytest.mark.parametrize(("name", "task"), [("vectors", "image-embedding"), ("numbers", "tensor")])
def test_other_tasks_have_no_labels(served: Client, name: str, task: str) -> None:
    found = card(served, name)

    assert (found["task"], found["labels"]) == (task, None)
    assert found["pixels"] == (AS_STATED if task == "image-embedding" else None)
    assert found["inputs"] == [{"name": "images", "dtype": "uint8", "shape": ["batch", 8, 8, 3]}]


def test_a_lone_graph_file_claims_nothing_that_it_does_not_know(served: Client) -> None:
    found = card(served, "lone")

    assert found["graph"] == {"format": "onnx", "file": "model.onnx"}
    assert found["source"]["run"] == "pets/7h2k9x"


def test_no_path_of_any_machine_is_told(served: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("full", "lone"):
        text = served.get(f"/v2/models/{name}/card").text
        assert "/home/ann" not in text
        assert str(tmp_path_factory.getbasetemp()) not in text


def test_a_model_that_is_not_there_has_no_card(served: Client) -> None:
    assert served.get("/v2/models/none/card").status_code == 404
    assert served.get("/v2/models/full/versions/9/card").status_code == 404
