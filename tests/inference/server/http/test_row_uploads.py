import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from lit_infer.errors import UsageError
from lit_infer.server.app import create_app
from lit_infer.server.http import row_uploads
from lit_infer.server.http.row_uploads import read
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from tests.support.server.client import Client
from tests.support.server.requests import assert_refused
from tests.support.tables import LABELS, ROWS, table_bundle
from tests.support.tensors import answers, tensor_bundle, tensor_rows
from tests.support.texts import SENTENCES, eager

ROW = {"x": [1.0, 2.0, 3.0], "number": 7}


@pytest.mark.parametrize(
    ("body", "rows", "is_batch"),
    [
        (ROW, 1, False),
        ([ROW], 1, True),
        ({"rows": [ROW, ROW]}, 2, True),
        ({"instances": [ROW, ROW]}, 2, True),
        ({"x": [1.0, 2.0]}, 1, False),
        ("a text", 1, False),
    ],
)
def test_one_row_or_a_list_of_them(body: Any, rows: int, is_batch: bool) -> None:
    found, is_list = read("application/json", json.dumps(body).encode())

    assert (len(found), is_list) == (rows, is_batch)


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"3", b'{"rows": []}', b"[" * 100_000])
def test_what_holds_no_rows_is_said(body: bytes) -> None:
    with pytest.raises(UsageError, match="send a row as JSON"):
        read("application/json", body)


def test_forms_and_too_many_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="the body is a form"):
        read("multipart/form-data; boundary=x", b"--x")
    with pytest.raises(UsageError, match="at most 65,536 rows"):
        read("application/json", json.dumps([0] * 65_537).encode())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("served")
    bundles = [
        tensor_bundle(folder / "doubler"),
        tensor_bundle(folder / "joined", name="joined", rows="joined"),
        tensor_bundle(folder / "ragged", name="ragged", side="length"),
    ]
    repository = Repository(parse(list(map(str, bundles))), Opening(device="cpu"))
    client = Client(create_app(repository))
    yield client
    client.close()
    repository.close()


def test_rows_of_different_lengths_are_answered_in_their_order_and_nothing_is_padded(client: Client) -> None:
    rows = [{"x": [float(n)] * length, "number": n} for n, length in enumerate((3, 1, 3, 5, 1))]

    found = client.post("/predict?model=ragged", json=rows).json()
    alone = [client.post("/predict?model=ragged", json=row).json() for row in rows]

    assert [one["outputs"] for one in found["predictions"]] == [one["outputs"] for one in alone]
    assert [len(one["outputs"]["y"]) for one in found["predictions"]] == [3, 1, 3, 5, 1]


@pytest.mark.parametrize(
    ("model", "rows", "said"),
    [
        ("ragged", [ROW, {"x": [1.0]}], "instances[1] must have x, number, not x"),
        ("ragged", [ROW, {"x": [[1.0]], "number": 1}], "input x must be ['batch', 'length']"),
        ("ragged", [ROW, {"x": [], "number": 1}], "input x must be ['batch', 'length']"),
        ("ragged", [ROW, {"x": ["a"], "number": 1}], "input x: "),
        ("doubler", [ROW, {"x": [1.0], "number": 1}], "the instances have different shapes"),
    ],
)
def test_rows_that_cannot_be_told_apart_by_length_are_refused(client: Client, model: str, rows: Any, said: str) -> None:
    answer = client.post(f"/predict?model={model}", json=rows)

    assert answer.status_code in (400, 422)
    assert said in answer.json()["error"]


def test_rows_in_json_are_answered_with_the_outputs_by_name(client: Client) -> None:
    columns = tensor_rows(5)
    rows = [{"x": x.tolist(), "number": int(n)} for x, n in zip(columns["x"], columns["number"], strict=True)]

    found = client.post("/predict?model=doubler", json=rows).json()
    one = client.post("/predict?model=doubler", json=rows[0]).json()

    wanted = answers(columns)
    assert [answer["outputs"]["y"] for answer in found["predictions"]] == wanted["y"].tolist()
    assert one["outputs"] == {"y": wanted["y"][0].tolist(), "total": float(wanted["total"][0])}
    assert (one["kind"], one["model"]) == ("tensors", "doubler")


@pytest.mark.parametrize(
    "row", [{"x": [1.0, 2.0], "number": 1}, {"x": ROW["x"]}, {**ROW, "number": 0.5}, [1, 2], "text"]
)
def test_a_row_that_does_not_fit_is_refused(client: Client, row: Any) -> None:
    assert_refused(client.post("/predict?model=doubler", json=[ROW, row]))


def test_a_model_whose_rows_depend_on_each_other_is_not_asked_by_row(client: Client) -> None:
    answer = client.post("/predict?model=joined", json=ROW)

    assert_refused(answer)
    assert "POST whole tensors to /v2/models/joined/infer" in answer.text


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    repository = Repository(
        parse([str(table_bundle(tmp_path_factory.mktemp("served") / "ages"))]), Opening(device="cpu")
    )
    client = Client(create_app(repository))
    yield client
    client.close()
    repository.close()


CSV = {"Content-Type": "text/csv; charset=utf-8"}


def test_rows_of_a_table_are_answered_from_json_and_from_csv(tables: Client) -> None:
    listed = tables.post("/predict?top_k=1", json=ROWS[:3]).json()
    table = tables.post(
        "/predict?top_k=1", content=b"age;job;smoker\n50;cook;0\n20.5;smith;1\n;tailor;1\n", headers=CSV
    )
    one = tables.post("/predict", json=ROWS[0]).json()

    assert [answer["label"] for answer in listed["predictions"]] == LABELS[:3]
    assert table.json()["predictions"] == listed["predictions"]
    assert (one["label"], one["kind"], one["model"]) == ("old", "classes", "ages")


def test_a_bad_row_of_a_table_is_told_with_its_place(tables: Client) -> None:
    answer = tables.post("/predict", json=ROWS)

    assert (answer.status_code, answer.json()["error"]) == (400, "item 3: smoker is missing")
    assert tables.post("/predict", json=ROWS[3]).json()["error"] == "smoker is missing"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"age,job\n1,cook\n", "the CSV: there is no smoker in it"),
        (b"age,job,smoker\n", "the CSV has no rows below its header"),
        (b"", "the CSV: it is empty"),
        (b"\xff\xfe", "the CSV: it is not UTF-8"),
    ],
)
def test_a_csv_that_is_no_table_is_refused(tables: Client, body: bytes, said: str) -> None:
    answer = tables.post("/predict", content=body, headers=CSV)

    assert_refused(answer)
    assert said in answer.json()["error"]


PARQUET = {"content-type": "application/vnd.apache.parquet"}


def parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


def test_rows_are_sent_as_parquet(tables: Client, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tables.post("/predict?model=ages", content=parquet(ROWS[:3]), headers=PARQUET).json()["predictions"]

    assert [one["label"] for one in found] == LABELS[:3]
    arrays = tensor_rows(4)
    table = pyarrow.table({"x": pyarrow.array(list(arrays["x"])), "number": arrays["number"]})
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file)
    rows = client.post("/predict?model=doubler", content=file.getvalue(), headers=PARQUET).json()["predictions"]
    assert [row["outputs"]["total"] for row in rows] == answers(arrays)["total"].tolist()
    bad = tables.post("/predict?model=ages", content=parquet(ROWS), headers=PARQUET)
    assert (bad.status_code, bad.json()["error"]) == (400, "item 3: smoker is missing")
    assert_refused(tables.post("/predict?model=ages", content=b"PAR1", headers=PARQUET))
    monkeypatch.setattr(row_uploads, "MOST_ROWS", 2)
    many = tables.post("/predict?model=ages", content=parquet(ROWS), headers=PARQUET)
    assert many.json()["error"].startswith("the Parquet: it has 4 rows and ")


def test_arrays_are_not_sent_as_csv(client: Client) -> None:
    assert_refused(client.post("/predict?model=doubler", content=b"x\n1\n", headers=CSV))


@pytest.fixture(scope="module")
def of_texts(texts: Path) -> Iterator[Client]:
    repository = Repository(parse([f"reviews={texts}"]), Opening(device="cpu"))
    client = Client(create_app(repository))
    yield client
    client.close()
    repository.close()


def test_texts_are_answered_alone_and_as_a_list(of_texts: Client) -> None:
    rows = [{"text": text} for text in SENTENCES]
    found = of_texts.post("/predict?model=reviews", json=rows).json()["predictions"]

    for text, answer in zip(SENTENCES, found, strict=True):
        wanted = eager(text)
        assert answer["index"] == wanted.index(max(wanted))
        assert abs(answer["score"] - max(wanted)) < 1e-6
        alone = of_texts.post("/predict?model=reviews", json={"text": text}).json()
        assert (alone["label"], alone["kind"]) == (answer["label"], "classes")
    assert of_texts.post("/predict?model=reviews", json=SENTENCES[0]).json()["label"] == found[0]["label"]
    table = of_texts.post("/predict?model=reviews", content=b"text\nthe end\n", headers=CSV).json()
    assert len(table["predictions"]) == 1


def test_texts_are_answered_by_the_open_inference_protocol(of_texts: Client) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(SENTENCES)], "data": SENTENCES}
    url = "/v2/models/reviews/infer"

    (found,) = of_texts.post(url, json={"inputs": [tensor]}).json()["outputs"]

    wanted = [share for text in SENTENCES for share in eager(text)]
    assert np.allclose(found["data"], wanted, atol=1e-6)
    for changes in (
        {"shape": [3]},
        {"name": "words"},
        {"data": [*SENTENCES[1:], "x" * 1_000_001]},
        {"datatype": "INT64"},
    ):
        assert_refused(of_texts.post(url, json={"inputs": [{**tensor, **changes}]}))


@pytest.mark.parametrize("body", [{"text": 3}, {"words": "a"}, [1], {"text": None}])
def test_what_is_no_text_is_refused(of_texts: Client, body: Any) -> None:
    assert_refused(of_texts.post("/predict?model=reviews", json=body))
