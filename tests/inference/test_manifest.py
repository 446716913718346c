import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_infer import manifest
from lit_infer.engines import ENGINES
from lit_infer.errors import ArtifactError, LitError, NotFoundError, UsageError
from lit_infer.manifest import (
    CenterCrop,
    DataScore,
    DeploymentFacts,
    ExifTranspose,
    Graph,
    Latency,
    MadeWith,
    Manifest,
    Normalize,
    Parity,
    Quantization,
    Resize,
    Score,
    Source,
    Step,
    Tensor,
    Tiles,
)
from tests.inference.tiny import described

SCHEMA_FILE = Path(__file__).parents[2] / "docs/manifest.schema.json"

# What manifests may hold.
text = st.text(max_size=8)
floats = st.floats(allow_nan=False, allow_infinity=False)
sides = st.integers(1, 10_000)
sizes = sides | st.tuples(sides, sides)
steps = st.one_of(
    st.builds(
        lambda size, interpolation: Step(resize=Resize(size=size, interpolation=interpolation)),
        sizes,
        st.sampled_from(["nearest", "bilinear", "bicubic"]),
    ),
    st.builds(lambda size: Step(center_crop=CenterCrop(size=size)), sizes),
    st.just(Step(exif_transpose=ExifTranspose())),
)
normalizes = st.sampled_from([1, 3]).flatmap(
    lambda n: st.builds(
        Normalize,
        mean=st.tuples(*[floats] * n),
        std=st.tuples(*[st.floats(1e-6, 1e6)] * n),
    )
)
tensors = st.builds(
    Tensor,
    name=text,
    dtype=st.sampled_from(["uint8", "int32", "int64", "float16", "float32"]),
    shape=st.lists(sides | text, max_size=4).map(tuple),
)
scores = st.builds(Score, monitor=text, mode=st.sampled_from(["min", "max"]), value=floats)
sources = st.builds(
    Source,
    digest=text,
    class_path=text,
    reference=st.none() | text,
    run=st.none() | text,
    git_commit=st.none() | text,
    weights=st.sampled_from(["model", "ema"]),
    score=st.none() | scores,
)
parities = st.builds(
    Parity,
    batches=st.lists(sides, max_size=3).map(tuple),
    max_abs=floats,
    max_rel=floats,
    inputs=st.sampled_from(["noise", "images"]),
    cosine=floats,
    agreement=st.none() | floats,
    atol=floats,
    rtol=floats,
    eager_error=st.none() | floats,
)
graphs = st.builds(
    Graph,
    format=st.sampled_from(sorted(ENGINES)),
    status=st.sampled_from(["ok", "failed"]),
    reason=st.none() | text,
    file=st.none() | text,
    sha256=st.none() | text,
    bytes=st.none() | st.integers(0, 2**62),
    companions=st.dictionaries(text, text, max_size=2),
    precision=st.sampled_from(["fp32", "fp16", "bf16", "int8"]),
    score=st.none() | st.builds(DataScore, metric=text, value=floats, eager=floats, images=sides),
    latency=st.none() | st.builds(Latency, ms=floats, batch_size=sides, threads=sides, cpu=text),
    quantization=st.none()
    | st.builds(Quantization, calibration_images=sides, kept=st.lists(text, max_size=2).map(tuple)),
    opset=st.none() | sides,
    ir_version=st.none() | sides,
    exporter=st.none() | text,
    parity=st.none() | parities,
)
made_withs = st.builds(MadeWith, versions=st.dictionaries(text, text, max_size=3), command=text, date=st.none() | text)


def in_order(found: list[Step]) -> tuple[Step, ...]:
    """The steps without an orientation anywhere but first, where alone it has a meaning."""
    return tuple(step for index, step in enumerate(found) if index == 0 or step.kind != "exif_transpose")


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Any manifest; its labels are as many as the last output's side says."""
    labels = draw(st.none() | st.lists(text, min_size=1, max_size=5).map(tuple))
    classes = len(labels) if labels is not None else draw(sides)
    return Manifest(
        name=draw(text),
        task=draw(st.sampled_from(["image-classification", "image-embedding", "tensor"])),
        source=draw(sources),
        inputs=draw(st.lists(tensors, max_size=2).map(tuple)),
        preprocess=draw(st.lists(steps, max_size=3).map(in_order)),
        normalize=draw(st.none() | normalizes),
        outputs=(Tensor(name=draw(text), dtype="float32", shape=("batch", classes)),),
        labels=labels,
        made_with=draw(made_withs),
        graphs=draw(st.lists(graphs, max_size=2).map(tuple)),
        golden=draw(st.none() | text),
    )


def plain(**changes: Any) -> dict[str, Any]:
    """A good manifest as plain data, with changes."""
    data: dict[str, Any] = json.loads(manifest.encode(described()))
    return {**data, **changes}


def decode(data: Any) -> Manifest:
    return manifest.decode(json.dumps(data), where="somewhere/manifest.json")


@given(manifests())
def test_a_manifest_survives_encoding_and_decoding(described: Manifest) -> None:
    assert manifest.decode(manifest.encode(described), where="here") == described


@given(manifests())
@settings(max_examples=50)
def test_the_same_manifest_gives_the_same_bytes(described: Manifest) -> None:
    again = msgspec.convert(msgspec.to_builtins(described), Manifest)

    assert manifest.encode(again) == manifest.encode(described)


def test_the_order_in_which_versions_were_collected_does_not_show() -> None:
    one = MadeWith(versions={"onnx": "1", "torch": "2"}, command="c")
    two = MadeWith(versions={"torch": "2", "onnx": "1"}, command="c")

    assert manifest.encode(described(made_with=one)) == manifest.encode(described(made_with=two))


@given(manifests())
@settings(max_examples=50)
def test_what_is_embedded_knows_neither_its_own_bytes_nor_the_clock(described: Manifest) -> None:
    embedded = described.embedded()

    assert (embedded.graphs, embedded.golden, embedded.made_with.date) == ((), None, None)
    assert embedded.embedded() == embedded
    assert described.completed(graphs=(), golden="golden.npz", date="2030-01-01").embedded() == embedded


@given(manifests(), st.data())
@settings(max_examples=50)
def test_completing_what_was_embedded_gives_the_manifest_back(described: Manifest, data: st.DataObject) -> None:
    golden, date = data.draw(text), data.draw(text)
    whole = described.completed(graphs=described.graphs, golden=golden, date=date)

    assert whole.embedded().completed(graphs=described.graphs, golden=golden, date=date) == whole


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_json_cannot_hold_is_not_written_as_something_else(value: float) -> None:
    """JSON has no NaN: a manifest that is written must be one that can be read."""
    try:
        raw = manifest.encode(described(source=Source(digest="d", class_path="c", score=_score(value))))
    except ValueError:
        return  # refused in time
    assert manifest.decode(raw, where="here").source.score is not None


def _score(value: float) -> Score:
    return Score(monitor="val_loss", mode="min", value=value)


@pytest.mark.parametrize("std", [math.nan, math.inf])
def test_a_standard_deviation_that_is_no_number_is_refused(std: float) -> None:
    with pytest.raises(ValueError, match="std"):
        Normalize(mean=(0.5,), std=(std,))


def test_an_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(ArtifactError, match="colour_space") as caught:
        decode(plain(colour_space="sRGB"))

    assert str(caught.value).startswith("somewhere/manifest.json: ")


def test_a_task_that_is_not_in_the_table_is_refused_and_those_that_are_there_are_named() -> None:
    with pytest.raises(ArtifactError, match="task 'image-juggling' is not known; use one of image-classification, "):
        decode(plain(task="image-juggling"))


def test_facts_of_answers_that_the_task_does_not_take_are_refused() -> None:
    with pytest.raises(ArtifactError, match="unknown field `thresholds`"):
        decode(plain(answers={"thresholds": 0.5}))


def test_an_orientation_is_followed_first_or_not_at_all() -> None:
    steps = [{"resize": {"size": 8}}, {"exif_transpose": {}}, {"center_crop": {"size": 8}}]
    with pytest.raises(ArtifactError, match="exif_transpose comes first"):
        decode(plain(preprocess=steps))


def test_an_unknown_key_deep_inside_is_refused_with_its_place() -> None:
    data = plain()
    data["source"]["author"] = "me"

    with pytest.raises(ArtifactError, match=r"author.*\$\.source"):
        decode(data)


@pytest.mark.parametrize(
    ("key", "value"),
    [("name", 3), ("task", 7), ("inputs", {}), ("labels", [1, 2, 3]), ("normalize", "imagenet")],
)
def test_a_wrong_type_is_refused_with_its_place(key: str, value: object) -> None:
    with pytest.raises(ArtifactError, match=rf"\$\.{key}.*export again"):
        decode(plain(**{key: value}))


@pytest.mark.parametrize("key", ["name", "source", "inputs", "labels"])
def test_a_missing_key_is_named(key: str) -> None:
    data = plain()
    del data[key]

    with pytest.raises(ArtifactError, match=f"`{key}`"):
        decode(data)


def test_a_newer_schema_says_how_to_upgrade_even_if_nothing_else_is_known() -> None:
    with pytest.raises(ArtifactError) as caught:
        decode({"schema": manifest.SCHEMA + 1, "all": "different"})

    assert f"schema {manifest.SCHEMA + 1} is newer" in str(caught.value)
    assert "pip install --upgrade lit-deploy" in str(caught.value)


def of_format(name: str) -> dict[str, Any]:
    graph: dict[str, Any] = {"format": name, "status": "failed", "reason": "parity"}
    return {**json.loads(manifest.encode(described())), "graphs": [graph]}


def test_a_format_that_the_table_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(ArtifactError) as caught:
        decode(of_format("tvm"))

    known = "onnx, openvino, pt2, torchscript, aotinductor, tensorrt"
    assert f"graph format 'tvm' is not known; it is one of {known} - at `$.graphs[0]`" in str(caught.value)


def test_a_format_is_known_to_manifests_and_their_schema_once_it_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "tvm", replace(ENGINES["onnx"], format="tvm", suffix=".tvm"))

    assert decode(of_format("tvm")).graphs[0].format == "tvm"
    assert "tvm" in manifest.json_schema()["$defs"]["Graph"]["properties"]["format"]["enum"]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"null", b"[]", b"{}", b'{"schema": "1"}', b'{"schema": true}', b"\xff\xfe", b"[" * 10_000]
)
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(ArtifactError, match="here: not a manifest"):
        manifest.decode(raw, where="here")


@given(place=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=4))
def test_damaged_bytes_are_refused_or_still_a_manifest(place: float, junk: bytes) -> None:
    raw = manifest.encode(described())
    start = int(place * len(raw))
    damaged = raw[:start] + junk + raw[start + len(junk) :]

    try:
        assert isinstance(manifest.decode(damaged, where="here"), Manifest)
    except ArtifactError as error:
        said = str(error)
    else:
        return
    assert said.startswith("here: ")


def test_a_key_nested_without_end_is_refused() -> None:
    with pytest.raises(ArtifactError, match="here: "):
        manifest.decode(b'{"schema":1,"name":' + b"[" * 100_000, where="here")


@given(cut=st.floats(0, 1, exclude_max=True))
@settings(max_examples=50)
def test_a_truncated_manifest_is_refused(cut: float) -> None:
    raw = manifest.encode(described()).rstrip()

    with pytest.raises(ArtifactError):
        manifest.decode(raw[: int(cut * len(raw))], where="here")


def test_labels_must_be_as_many_as_the_classes() -> None:
    with pytest.raises(ArtifactError, match="2 labels for an output of 3 classes"):
        decode(plain(labels=["red", "green"]))


def test_labels_may_be_left_to_the_indices() -> None:
    assert decode(plain(labels=None)).labels is None


@pytest.mark.parametrize(
    ("step", "found"),
    [({}, "none"), ({"resize": {"size": 8}, "center_crop": {"size": 8}}, "'resize', 'center_crop'")],
)
def test_a_step_has_exactly_one_field(step: dict[str, Any], found: str) -> None:
    with pytest.raises(ArtifactError, match=f"exactly one of resize, center_crop, exif_transpose, .*; .*{found}"):
        decode(plain(preprocess=[step]))


@pytest.mark.parametrize("size", [0, -1, (0, 8), (8, -8)])
def test_sizes_are_positive(size: Any) -> None:
    with pytest.raises(ValueError, match="positive"):
        Resize(size=size)
    with pytest.raises(ValueError, match="positive"):
        CenterCrop(size=size)


def test_a_resize_without_antialias_is_refused_since_pil_cannot_do_it() -> None:
    with pytest.raises(ValueError, match="always antialiases"):
        Resize(size=8, antialias=False)
    assert Resize(size=8, interpolation="nearest", antialias=False).size == 8


@pytest.mark.parametrize(
    ("mean", "std"),
    [((0.5,) * 33, (0.5,) * 33), ((0.5,), (0.5, 0.5, 0.5)), ((), ()), ((0.5,), (0.0,)), ((0.5,), (-1.0,))],
)
def test_a_normalization_has_one_to_32_channels_and_divides_by_more_than_zero(
    mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="normalize"):
        Normalize(mean=mean, std=std)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((Step(resize=Resize(size=10)), Step(center_crop=CenterCrop(size=8))), (8, 8)),
        ((Step(center_crop=CenterCrop(size=(4, 6))),), (4, 6)),
        ((Step(resize=Resize(size=(5, 7))),), (5, 7)),
        ((Step(center_crop=CenterCrop(size=8)), Step(resize=Resize(size=(2, 3)))), (2, 3)),
    ],
)
def test_the_last_step_that_fixes_a_size_gives_the_image_size(
    facts: tuple[Step, ...], expected: tuple[int, int]
) -> None:
    assert DeploymentFacts(task="image-classification", preprocess=facts).height_width == expected


@pytest.mark.parametrize("facts", [(), (Step(resize=Resize(size=10)),), (Step(exif_transpose=ExifTranspose()),)])
def test_steps_that_leave_the_size_open_are_explained(facts: tuple[Step, ...]) -> None:
    with pytest.raises(UsageError, match="varying size"):
        _ = DeploymentFacts(task="image-classification", preprocess=facts).height_width


def test_a_resize_of_the_shorter_side_after_a_crop_does_not_have_the_crops_size() -> None:
    """Whatever `height_width` answers must be what the steps make: 8 x 8 cropped, then resized to 4 x 4."""
    facts = DeploymentFacts(
        task="image-classification", preprocess=(Step(center_crop=CenterCrop(size=8)), Step(resize=Resize(size=4)))
    )

    try:
        found = facts.height_width
    except UsageError:
        return  # refused: also right
    assert found == (4, 4)


def test_the_channels_are_those_of_the_normalization_or_three() -> None:
    assert DeploymentFacts(task="tensor").channels == 3
    assert DeploymentFacts(task="tensor", normalize=Normalize(mean=(0.5,), std=(0.5,))).channels == 1


def test_a_model_that_takes_no_images_of_one_size_says_so() -> None:
    flat = described(inputs=(Tensor(name="features", dtype="float32", shape=("batch", 4)),), task="tensor")

    assert described().image_shape == (8, 8, 3)
    with pytest.raises(UsageError, match="does not take images of one size"):
        _ = flat.image_shape


def test_only_graphs_that_passed_and_have_a_file_are_offered() -> None:
    good = Graph(format="onnx", status="ok", file="model.onnx")
    failed = Graph(format="torchscript", status="failed", reason="parity", file="model.pt")
    nameless = Graph(format="torchscript", status="ok")

    assert described(graphs=(failed, nameless, good)).ok_graphs() == (good,)


def test_the_identity_is_the_name_and_the_start_of_the_checkpoints_digest() -> None:
    assert described().identity() == "colours@0123456789ab"


def test_plain_data_becomes_a_struct_and_a_wrong_field_is_named() -> None:
    facts = {"task": "image-classification", "preprocess": [{"resize": {"size": [8, 9]}}], "labels": ["a", "b"]}

    found = manifest.convert(facts, DeploymentFacts, where="model.ckpt")

    assert found.preprocess == (Step(resize=Resize(size=(8, 9))),)
    with pytest.raises(UsageError, match=r"model\.ckpt: .*antialis"):
        manifest.convert(
            {**facts, "preprocess": [{"resize": {"size": 8, "antialis": True}}]}, DeploymentFacts, where="model.ckpt"
        )


def test_a_folder_without_a_manifest_is_not_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="is not a bundle"):
        manifest.read(tmp_path)


def test_a_manifest_that_cannot_be_opened_is_our_error_too(tmp_path: Path) -> None:
    (tmp_path / manifest.FILE_NAME).mkdir()

    with pytest.raises(LitError, match=r"manifest\.json"):
        manifest.read(tmp_path)


def test_the_manifest_of_a_bundle_is_read(bundle_folder: Path) -> None:
    found = manifest.read(bundle_folder)

    assert found.name == "colours"
    assert [graph.file for graph in found.graphs] == ["model.onnx"]


def test_the_published_schema_is_that_of_the_code() -> None:
    regenerate = (
        "docs/manifest.schema.json is out of date. Write it again with: .venv/bin/python -c 'import json; "
        "from lit_infer import manifest; print(json.dumps(manifest.json_schema(), indent=2))' "
        "> docs/manifest.schema.json"
    )

    assert SCHEMA_FILE.read_text() == json.dumps(manifest.json_schema(), indent=2) + "\n", regenerate


def test_tiles_are_facts_that_the_task_and_the_steps_must_allow() -> None:
    scores = (Tensor(name="scores", dtype="float32", shape=("batch", 3, 8, 8)),)
    indices = (Tensor(name="classes", dtype="uint8", shape=("batch", 8, 8)),)
    cut: dict[str, Any] = {"task": "image-segmentation", "outputs": scores, "labels": None}
    tiles = Tiles(size=(32, 48), overlap=4, merge="mean")

    made = described(**cut, preprocess=(Step(resize=Resize(size=(8, 8))),), tiles=tiles)

    assert manifest.decode(manifest.encode(made), where="here").tiles == tiles
    assert made.embedded().tiles == tiles
    with pytest.raises(ValueError, match="merged by centre, not mean"):
        described(**{**cut, "outputs": indices}, preprocess=(Step(resize=Resize(size=(8, 8))),), tiles=tiles)
    with pytest.raises(ValueError, match="leaves 8 x 8 pixels of a tile of 32 x 48"):
        described(**cut, preprocess=(Step(center_crop=CenterCrop(size=8)),), tiles=tiles)
    with pytest.raises(UsageError, match="tiles are not for task image-classification"):
        manifest.convert({"task": "image-classification", "tiles": {"size": 64}}, DeploymentFacts, where="--spec x")
    with pytest.raises(UsageError, match="a side has at least 8"):
        manifest.convert({"task": "object-detection", "tiles": {"size": 2}}, DeploymentFacts, where="--spec x")
    pair = {"task": "image-segmentation", "images": ["before", "after"], "tiles": {"size": 64}}
    with pytest.raises(UsageError, match="tiles are for models of one image, and this one takes before and after"):
        manifest.convert(pair, DeploymentFacts, where="--spec x")
