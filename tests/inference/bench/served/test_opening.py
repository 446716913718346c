"""Every test asks a real server."""

from pathlib import Path

import numpy as np
import pytest

from lit_infer.bench.inputs import own_inputs
from lit_infer.bench.served.opening import Servers
from lit_infer.errors import NotFoundError, UsageError
from tests.inference.bench.servers import url_of
from tests.support.server.process import Server


def test_the_only_model_is_found_and_the_version_that_answers_is_kept(url: str) -> None:
    (model,) = Servers([url]).open()

    assert (model.info.name, model.info.version, model.server.name) == ("colours", "1", "lit-serve")
    assert model.info.inputs[0].shape == (-1, 8, 8, 3)
    assert model.info.max_batch == 8
    assert (model.engine, model.device, model.threads) == ("onnxruntime_CPUExecutionProvider", "server", 0)
    assert str(model) == f"{url}: colours version 1"


def test_each_protocol_has_its_line_and_a_url_that_is_given_twice_has_one(server: Server) -> None:
    urls = [server.url, server.url + "/", url_of(server, "grpc"), server.url]

    assert [model.name for model in Servers(urls).open()] == ["http", "grpc"]


def test_several_of_one_protocol_are_told_apart_by_their_ports(server: Server) -> None:
    urls = [f"http://{host}:{server.port}" for host in ("127.0.0.1", "localhost")]

    assert [model.name for model in Servers(urls).open()] == [url.replace("://", " ") for url in urls]


def test_of_several_models_one_has_to_be_named(narrow: Server, key_file: Path) -> None:
    for protocol in ("http", "grpc"):
        with pytest.raises(UsageError, match="serves colours, other: choose with --model NAME"):
            Servers([url_of(narrow, protocol)], key_file=key_file).open()


@pytest.mark.parametrize("name", ["nope", "colours/7", "nöpe%/1"])
def test_a_model_that_is_not_there_is_not_found(name: str, url: str) -> None:
    with pytest.raises(NotFoundError, match=url):
        Servers([url], name).open()


@pytest.mark.parametrize("name", ["", "/", "a/", "/1", "a/1/2", "artifacts/bundles/colours"])
def test_a_bundle_is_not_the_name_of_a_served_model(name: str, server: Server) -> None:
    with pytest.raises(UsageError, match="with --url this is the name on the server, NAME or NAME/VERSION"):
        Servers([server.url], name).open()


def test_a_key_is_asked_for_and_sent(
    narrow: Server, key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong").write_text("wrong")
    for protocol in ("http", "grpc"):
        url = url_of(narrow, protocol)
        for wrong in (None, tmp_path / "wrong"):
            with pytest.raises(UsageError, match=r"requires an API key.*--api-key-file FILE, or \$LIT_API_KEY"):
                Servers([url], "other", wrong).open()
        assert Servers([url], "other", key_file).open()[0].info.name == "other"
    monkeypatch.setenv("LIT_API_KEY", key_file.read_text().split("\n")[1])
    assert Servers([narrow.url], "other").open()[0].info.name == "other"


def test_own_arrays_are_what_is_sent(server: Server, tmp_path: Path) -> None:
    images = np.arange(3 * 8 * 8 * 3, dtype=np.uint8).reshape(3, 8, 8, 3)
    np.savez(tmp_path / "right.npz", images=images, more=images)
    np.savez(tmp_path / "wrong.npz", images=images.astype(np.float32))

    (model,) = Servers([server.url]).open(inputs=own_inputs(tmp_path / "right.npz"))

    assert np.array_equal(model.samples.rows(range(3))["images"], images)
    with pytest.raises(UsageError, match="images must be UINT8, not FP32"):
        Servers([server.url]).open(inputs=own_inputs(tmp_path / "wrong.npz"))
