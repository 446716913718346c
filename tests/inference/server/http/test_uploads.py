"""An image is taken in each way that people send it, and what is ambiguous is said."""

import base64
import json
from typing import Any

import pytest

from lit_infer.errors import UsageError
from lit_infer.server.http.uploads import read_several
from lit_infer.server.models.packed import unpacked
from tests.support.server.client import Client
from tests.support.server.requests import assert_refused, png

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def b64(name: str) -> str:
    return base64.b64encode(png(name)).decode()


B64 = b64("green")
DATA_URL = f"data:image/png;base64,{B64}"

SINGLE: dict[str, dict[str, Any]] = {
    "itself": {"content": png("green")},
    "itself, as curl --data-binary says": {"content": png("green"), "headers": FORM},
    "a file of a form": {"files": {"file": ("x.png", png("green"), "image/png")}},
    "a file of a form under any name": {"files": {"whatever": ("é.png", png("green"))}},
    "JSON": {"json": {"image": B64}},
    "JSON without its type": {"content": b' {"image": "%s"}' % B64.encode()},
    "JSON with a data URL": {"json": {"image": DATA_URL}},
    "JSON with b64": {"json": {"image": {"b64": B64}}},
    "URL-safe": {"json": {"image": B64.replace("+", "-").replace("/", "_").rstrip("=")}},
    "in lines": {"json": {"image": base64.encodebytes(png("green")).decode()}},
    "a data URL": {"content": DATA_URL.encode(), "headers": {"Content-Type": "text/plain"}},
}
SEVERAL: dict[str, dict[str, Any]] = {
    "files of a form": {"files": [("file", (f"{name}.png", png(name))) for name in ("red", "blue")]},
    "instances": {"json": {"instances": [b64(name) for name in ("red", "blue")]}},
    "instances with b64": {"json": {"instances": [{"b64": b64(n)} for n in ("red", "blue")]}},
    "images": {"json": {"images": [{"image": b64(n)} for n in ("red", "blue")]}},
    "instances of TensorFlow's": {"json": {"instances": [{"image_bytes": {"b64": b64(n)}} for n in ("red", "blue")]}},
}
CUT = b'--b\r\nContent-Disposition: form-data; filename="x"\r\n\r\nx'
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
STRIPPED = png("green").translate(None, b"\0\r\n")
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "curl -d @": ({"content": STRIPPED, "headers": FORM}, "curl -d removes line ends"),
    "a form without a file": ({"content": b"image=cat.jpg", "headers": FORM}, "form without a file"),
    "a field": ({"files": {"top_k": (None, "3")}}, "field 'top_k' is no file"),
    "no boundary": ({"content": b"--a--", "headers": {"Content-Type": "multipart/form-data"}}, "needs a boundary"),
    "another boundary": (
        {"content": b"--a\r\n\r\nx\r\n--a--", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
        "boundary is not the one",
    ),
    "a form cut off": ({"content": CUT, "headers": MULTIPART}, "cut off"),
    "an empty form": ({"content": b"--b--", "headers": MULTIPART}, "no file"),
    "a list": ({"json": [B64]}, "curl --data-binary"),
    "nothing": ({"json": {}}, "nothing"),
    "two keys": ({"json": {"image": B64, "top_k": 3}}, "image, top_k"),
    "the protocol's": ({"json": {"inputs": []}}, "/v2/models/NAME/infer"),
    "a number": ({"json": {"image": 7}}, "not an image in base64"),
    "no instances": ({"json": {"instances": []}}, "not an image in base64"),
    "no base64": ({"json": {"instances": [B64, "!!"]}}, r"instances[1] is not base64"),
    "half of JSON": ({"content": b'{"image": "AAA'}, "not valid JSON"),
    "too deep": ({"content": b'{"image":' * 3000 + b"1" + b"}" * 3000}, "JSON"),
}


@pytest.mark.parametrize("name", SINGLE)
def test_an_image_is_taken_as(client: Client, name: str) -> None:
    answer = client.post("/predict", **SINGLE[name])

    assert answer.status_code == 200, answer.text
    assert answer.json()["label"] == "green"


@pytest.mark.parametrize("name", SEVERAL)
def test_several_are_a_batch(client: Client, name: str) -> None:
    answer = client.post("/predict?top_k=1", **SEVERAL[name]).json()

    assert [one["label"] for one in answer["predictions"]] == ["red", "blue"]
    assert [one.get("file") for one in answer["predictions"]] in ([None] * 2, ["red.png", "blue.png"])
    assert answer["model"] == "colours"


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_ambiguous_is_told_with_what_to_send(client: Client, name: str) -> None:
    request, said = REFUSED[name]

    answer = client.post("/predict", **request)

    assert_refused(answer)
    assert said in answer.json()["error"]


def test_a_bad_file_of_several_is_named(client: Client) -> None:
    answer = client.post("/predict", files=[("file", ("a.png", png())), ("file", ("b.png", b"text"))])

    assert_refused(answer)
    assert "item 1" in answer.json()["error"]


def test_a_misspelt_query_parameter_names_the_nearest(client: Client) -> None:
    answer = client.post("/predict?topk=1", content=png())

    assert_refused(answer)
    assert "did you mean top_k" in answer.json()["error"]


NAMES = ("before", "after")
PAIR = {"before": b64("red"), "after": b64("blue")}


def boundary(*parts: tuple[str, bytes]) -> tuple[str, bytes]:
    """A form with files under these names."""
    head = 'Content-Disposition: form-data; name="{}"; filename="x.png"'
    files = [b"--b\r\n" + head.format(name).encode() + b"\r\n\r\n" + data + b"\r\n" for name, data in parts]
    return "multipart/form-data; boundary=b", b"".join(files) + b"--b--"


@pytest.mark.parametrize(
    ("sent", "count", "is_batch"),
    [
        (boundary(("after", png("blue")), ("before", png("red"))), 1, False),
        (boundary(*[("before", png("red")), ("after", png("blue"))] * 2), 2, True),
        (("application/json", json.dumps(PAIR).encode()), 1, False),
        (("", json.dumps({"instances": [PAIR] * 3}).encode()), 3, True),
    ],
)
def test_several_images_of_an_answer_are_sent_by_name(sent: tuple[str, bytes], count: int, is_batch: bool) -> None:
    found = read_several(*sent, NAMES)

    assert (len(found.images), found.is_batch) == (count, is_batch)
    for one in found.images:
        assert unpacked(one, NAMES) == {"before": png("red"), "after": png("blue")}


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (("", png("red")), "the model takes 2 images for each answer: send before and after as files of a form"),
        (boundary(("before", png("red"))), "the form has 1 of before, 0 of after"),
        (boundary(("before", png("red")), ("file", png("red"))), "the form has a file called 'file'"),
        (("application/json", b'{"before": "aa"}'), "the JSON has before: send"),
        (("application/json", b'{"instances": [{"before": "aa", "after": 3}]}'), "instances.0.: after is not an image"),
        (("application/json", b'{"instances": []}'), "instances are a list of at most 2,048"),
        (("application/json", b"[1]"), "the JSON has list: send"),
        (("application/json", b"{"), "the body is not valid JSON"),
    ],
)
def test_what_is_not_several_images_is_said_with_the_way_to_send_them(sent: tuple[str, bytes], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_several(*sent, NAMES)
