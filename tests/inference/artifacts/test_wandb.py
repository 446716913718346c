"""lit_infer.artifacts.wandb: the real wandb client against the loopback double, each step in its own process."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.wandb_double.fixture import Client, environment
from tests.wandb_double.server import Double

pytestmark = pytest.mark.slow

MODEL = "user/proj/model-x"
WEIGHTS = b"weights " * 50_000
FILES = {"model.ckpt": WEIGHTS, "notes/readme.txt": b"hello"}

# One call of a registry, and what came of it as JSON.
CALL = """
import json, sys
from contextlib import contextmanager
from pathlib import Path
from lit_infer import artifacts
from lit_infer.errors import LitError
from lit_infer.progress import Listener, listening
told = []
@contextmanager
def transfer(name):
    yield lambda done, total: told.append([done, total])
reference = artifacts.parse({reference!r})
registry = artifacts.registry(reference)
try:
    with listening(Listener(transfer=transfer)):
        found = {call}
except LitError as error:
    print(json.dumps({{"error": type(error).__name__, "message": str(error)}}))
else:
    print(json.dumps({{"found": found, "told": told}}, default=str))
"""
FETCH = "str(registry.fetch(reference))"
RESOLVE = "vars(registry.resolve(reference))"
PUBLISH = "vars(registry.publish(Path('bundle'), reference, type='model', {}))"


def call(client: Client, reference: str, code: str, step: str | None = None, **changes: str) -> dict[str, Any]:
    done = client(CALL.format(reference=reference, call=code), step, **changes)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def contents(folder: str) -> dict[str, bytes]:
    paths = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def cached(folder: Path) -> list[str]:
    return [entry.name for entry in folder.glob("*/lit-cache/*")]


def bundle(tmp_path: Path, text: str = "graph") -> None:
    (tmp_path / "bundle/sub").mkdir(parents=True, exist_ok=True)
    (tmp_path / "bundle/model.onnx").write_text(text)
    (tmp_path / "bundle/sub/golden.npz").write_bytes(b"golden")


def test_resolve_gives_the_facts_of_the_version(wandb_server: Double, client: Client) -> None:
    wandb_server.state.add(MODEL, FILES, metadata={"score": 0.5})
    wandb_server.state.add(MODEL, {"model.ckpt": b"better"}, aliases=["best"], metadata={"score": 0.25})
    found = call(client, f"{MODEL}:best", RESOLVE)["found"]
    assert found["reference"] == f"{MODEL}:v1"
    assert (found["type"], found["aliases"]) == ("model", ["best", "latest"])
    assert (found["metadata"], found["bytes"], found["parents"]) == ({"score": 0.25}, 6, [])
    assert found["digest"] == wandb_server.state.collection(MODEL).versions[1].digest
    assert found["created"].endswith("+00:00")


def test_publish_logs_the_files_with_lineage_both_ways(wandb_server: Double, client: Client, tmp_path: Path) -> None:
    parent = wandb_server.state.add(MODEL, FILES, aliases=["best"])
    bundle(tmp_path)
    how = PUBLISH.format(f"aliases=['checked'], metadata={{'formats': ['onnx']}}, parents=['{MODEL}:best']")
    found = call(client, f"{MODEL}-export", how)["found"]
    assert found["reference"] == f"{MODEL}-export:v0"
    assert found["aliases"] == ["checked", "latest"]
    assert found["metadata"] == {"formats": ["onnx"]}
    assert found["parents"] == [f"{MODEL}:v0"]
    logged = wandb_server.state.collection(f"{MODEL}-export").versions[0]
    assert logged.created_by.job_type == "export"
    assert logged.created_by.used == [parent]
    assert sorted(logged.files) == ["model.onnx", "sub/golden.npz"]

    api = f"import wandb; a = wandb.Api().artifact('{MODEL}:best'); print(a.used_by()[0].name)"
    assert client(api).stdout.strip() == logged.created_by.name
    api = f"import wandb; a = wandb.Api().artifact('{MODEL}-export:latest'); print(a.logged_by().name)"
    assert client(api).stdout.strip() == logged.created_by.name


def test_the_same_files_again_are_the_same_version(wandb_server: Double, client: Client, tmp_path: Path) -> None:
    bundle(tmp_path)
    assert call(client, MODEL, PUBLISH.format(""))["found"]["reference"] == f"{MODEL}:v0"
    again = call(client, MODEL, PUBLISH.format("aliases=['kept']"))["found"]
    assert (again["reference"], again["aliases"]) == (f"{MODEL}:v0", ["kept", "latest"])
    bundle(tmp_path, "another graph")
    assert call(client, MODEL, PUBLISH.format(""))["found"]["reference"] == f"{MODEL}:v1"
    assert len(wandb_server.state.collection(MODEL).versions) == 2


def test_an_alias_moves_between_versions(wandb_server: Double, client: Client) -> None:
    wandb_server.state.add(MODEL, FILES, aliases=["production"])
    wandb_server.state.add(MODEL, {"model.ckpt": b"better"})
    found = call(client, f"{MODEL}:v1", "vars(registry.move_alias('production', reference))")["found"]
    assert found["aliases"] == ["latest", "production"]
    aliases = wandb_server.state.collection(MODEL).aliases
    assert aliases["production"].index == 1
    for alias in ("v7", "latest"):
        refused = call(client, f"{MODEL}:v0", f"registry.move_alias('{alias}', reference)")
        assert refused["error"] == "UsageError"


def test_versions_and_collections_are_listed(wandb_server: Double, client: Client) -> None:
    for number in range(11):
        wandb_server.state.add(MODEL, {"model.ckpt": bytes([number])})
    wandb_server.state.add(f"{MODEL}-export", FILES)
    found = call(client, MODEL, "[v.reference.alias for v in registry.versions(reference)] + registry.collections()")
    assert found["found"] == [*(f"v{number}" for number in range(11)), MODEL, f"{MODEL}-export"]


def test_a_second_fetch_asks_for_no_file(wandb_server: Double, client: Client, tmp_path: Path) -> None:
    wandb_server.state.add(MODEL, FILES, aliases=["best"])
    first = call(client, f"{MODEL}:best", FETCH, LIT_CACHE=str(tmp_path / "cache"))
    assert contents(first["found"]) == FILES
    total = sum(map(len, FILES.values()))
    assert first["told"][0] == [0, total]
    assert first["told"][-1] == [total, total]
    assert len(wandb_server.asked("GET")) == 3  # the manifest and two files

    wandb_server.requests.clear()
    second = call(client, f"{MODEL}:v0", FETCH, LIT_CACHE=str(tmp_path / "cache"))
    assert (second["found"], second["told"]) == (first["found"], [])
    assert wandb_server.asked("GET") == []
    assert len(wandb_server.asked("graphql Artifact")) == 1
    assert len(wandb_server.requests) <= 4  # the others are wandb's login


def test_a_cached_file_that_was_changed_is_not_accepted(wandb_server: Double, client: Client) -> None:
    wandb_server.state.add(MODEL, FILES)
    changed = Path(call(client, MODEL, FETCH, "one")["found"]) / "model.ckpt"
    changed.chmod(0o644)
    changed.write_bytes(WEIGHTS[::-1])
    assert contents(call(client, MODEL, FETCH, "one")["found"]) == FILES


@pytest.mark.parametrize("kind", ["corrupt", "drop"])
def test_a_download_that_fails_once_is_repeated(wandb_server: Double, client: Client, kind: Any) -> None:
    wandb_server.state.add(MODEL, FILES)
    wandb_server.fault("GET storage", kind, times=1)
    assert contents(call(client, MODEL, FETCH)["found"]) == FILES


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("corrupt", "arrived damaged (Digest mismatch for file: model.ckpt)"),
        ("error", "model.ckpt: HTTP 500 from the storage, on try "),
        ("stall", "model.ckpt: nothing arrived for 1 s, after "),
    ],
)
def test_a_download_that_fails_for_good_leaves_nothing(
    wandb_server: Double, client: Client, tmp_path: Path, kind: Any, message: str
) -> None:
    wandb_server.state.add(MODEL, {"model.ckpt": WEIGHTS})
    wandb_server.fault("GET storage", kind)
    found = call(client, MODEL, FETCH, LIT_STALL_TIMEOUT="1")
    assert found["error"] == ("ArtifactError" if kind == "corrupt" else "GivenUpError")
    assert found["message"].startswith(f"{MODEL}:v0: {message}")
    assert len(wandb_server.asked("GET storage")) >= 2
    assert cached(tmp_path) == []


@pytest.mark.parametrize("kind", ["corrupt", "short", "error"])
def test_a_damaged_list_of_files_is_not_accepted(
    wandb_server: Double, client: Client, tmp_path: Path, kind: Any
) -> None:
    wandb_server.state.add(MODEL, {"model.ckpt": WEIGHTS})
    wandb_server.fault("GET manifests", kind)
    found = call(client, MODEL, FETCH, WANDB_HTTP_TIMEOUT="2")
    assert found["error"] == "ArtifactError"
    assert wandb_server.asked("GET storage") == []
    assert cached(tmp_path) == []


def test_a_list_of_files_that_names_other_bytes_is_not_accepted(wandb_server: Double, client: Client) -> None:
    wandb_server.state.add(MODEL, {"model.ckpt": b"good"})
    bad = wandb_server.state.add("user/proj/bad", {"model.ckpt": b"evil"})
    wandb_server.state.collection(MODEL).versions[0].manifest = bad.manifest
    found = call(client, MODEL, FETCH)
    assert found["error"] == "ArtifactError"
    assert "its list of files arrived damaged" in found["message"]


def test_a_file_outside_the_folder_is_not_fetched(wandb_server: Double, client: Client, tmp_path: Path) -> None:
    wandb_server.state.add(MODEL, {"a/../../evil": b"evil"})
    found = call(client, MODEL, FETCH)
    assert found["error"] == "ArtifactError"
    assert wandb_server.asked("GET storage") == []
    assert not list(tmp_path.rglob("evil"))


def test_a_file_that_is_only_a_pointer_is_refused(wandb_server: Double, client: Client) -> None:
    wandb_server.state.add(MODEL, {"model.ckpt": b"etag"}, ref="file:///etc/passwd")
    found = call(client, MODEL, FETCH)
    assert found["error"] == "UsageError"
    assert "model.ckpt only points to file:///etc/passwd" in found["message"]


def test_a_project_that_does_not_exist_has_no_lists(client: Client) -> None:
    for code in ("registry.collections()", "registry.versions(reference)"):
        found = call(client, "user/nothing/model", code, "one")
        assert found["error"] == "NotFoundError"
        assert found["message"].startswith("user/nothing: W&B at ")


def test_an_artifact_over_the_limit_is_not_downloaded(wandb_server: Double, client: Client) -> None:
    wandb_server.state.add(MODEL, FILES)
    found = call(client, MODEL, FETCH, LIT_MAX_ARTIFACT_BYTES="400000")
    assert found["message"].endswith("400,005 bytes are over the limit of 400,000; set LIT_MAX_ARTIFACT_BYTES")
    assert wandb_server.asked("GET storage") == []


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (f"{MODEL}:bets", f"{MODEL} has no 'bets'; it has best, "),
        ("user/proj/modelx:best", "no modelx in W&B's user/proj. It has model-x"),
        ("user/porj/model-x:best", "user/porj/model-x:best: W&B at {url} has no such project"),
        ("user/porj/modelx:best", "user/porj/modelx:best: W&B at {url} has no such project"),
        ("stranger/proj/model-x:best", "stranger/proj/model-x:best: W&B at {url} has no such project"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(
    wandb_server: Double, client: Client, reference: str, message: str
) -> None:
    wandb_server.state.add(MODEL, FILES, aliases=["best", "production"])
    found = call(client, reference, RESOLVE)
    assert found["error"] == "NotFoundError"
    assert found["message"].startswith(message.format(url=wandb_server.url))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"WANDB_API_KEY": "x" * 40}, "W&B at {url} refuses this API key"),
        ({"WANDB_API_KEY": "short"}, "W&B at {url} refuses this API key (WANDB_API_KEY invalid"),
        ({"WANDB_API_KEY": "", "WANDB_MODE": "online"}, "no API key for W&B at {url}. Set WANDB_API_KEY"),
    ],
)
def test_a_key_that_does_not_open_says_what_to_do(
    wandb_server: Double, client: Client, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    bundle(tmp_path)
    found = call(client, MODEL, PUBLISH.format(""), **changes)
    assert found["error"] == "UsageError"
    assert found["message"].startswith(message.format(url=wandb_server.url))
    assert not wandb_server.state.projects


def test_publishing_without_permission_is_one_line(wandb_server: Double, client: Client, tmp_path: Path) -> None:
    bundle(tmp_path)
    found = call(client, "stranger/proj/model-x", PUBLISH.format(""))
    assert found["error"] == "UsageError"
    assert "has no write access" in found["message"]


def test_an_upload_that_stalls_is_given_up(wandb_server: Double, client: Client, tmp_path: Path) -> None:
    bundle(tmp_path)
    wandb_server.fault("PUT storage", "stall")
    found = call(client, MODEL, PUBLISH.format(""), WANDB_FINISH_TIMEOUT="2", WANDB_HTTP_TIMEOUT="2")
    assert found["error"] == "ArtifactError"
    assert found["message"].startswith(f"{MODEL}: 11 bytes could not be uploaded within 2 s; ")
    assert wandb_server.state.collection(MODEL).versions == []


def test_a_server_that_cannot_be_reached_is_said_soon(client: Client, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        found = call(client, MODEL, FETCH, WANDB_BASE_URL=url, WANDB_HTTP_TIMEOUT="2")
    assert found["error"] == "ArtifactError"
    assert found["message"].startswith(f"W&B: W&B at {url} cannot be reached: Connection refused")


@pytest.mark.parametrize("label", ["graphql Viewer", "graphql ArtifactMembershipByName", "graphql ArtifactMembershipF"])
def test_a_server_that_fails_or_is_silent_is_given_up(wandb_server: Double, client: Client, label: str) -> None:
    wandb_server.state.add(MODEL, FILES)
    wandb_server.fault(label, "error" if label.endswith("Viewer") else "stall")
    found = call(client, MODEL, FETCH, WANDB_HTTP_TIMEOUT="2")
    assert found["error"] == "ArtifactError"
    assert "did not answer properly within 2 s" in found["message"]


def test_two_processes_that_fetch_at_once_find_the_same_files(wandb_server: Double, tmp_path: Path) -> None:
    wandb_server.state.add(MODEL, FILES)
    line = [sys.executable, "-c", CALL.format(reference=MODEL, call=FETCH)]
    steps = [environment(wandb_server, tmp_path / name, LIT_CACHE=str(tmp_path / "cache")) for name in ("one", "two")]
    both = [subprocess.Popen(line, env=step, stdout=subprocess.PIPE, text=True) for step in steps]
    folders = {json.loads(each.communicate(timeout=900)[0])["found"] for each in both}
    assert len(folders) == 1
    assert contents(folders.pop()) == FILES
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_parent_that_is_only_local_is_refused(client: Client, tmp_path: Path) -> None:
    bundle(tmp_path)
    found = call(client, MODEL, PUBLISH.format("parents=['local/digits/net:v0']"))
    assert found["message"].endswith("first: lit-registry push local/digits/net:v0")


OFFLINE_RUN = """
import pathlib, wandb
pathlib.Path("model.ckpt").write_bytes(b"trained offline")
with wandb.init(project="proj", job_type="train") as run:
    artifact = wandb.Artifact("model-y", type="model", metadata={"score": 0.75})
    artifact.add_file("model.ckpt")
    run.log_artifact(artifact, aliases=["best"])
"""


def test_an_offline_run_is_uploaded_by_wandb_sync(wandb_server: Double, client: Client, tmp_path: Path) -> None:
    offline = client(OFFLINE_RUN, "offline", WANDB_MODE="offline")
    assert offline.returncode == 0, offline.stderr
    assert wandb_server.requests == []
    (run,) = (tmp_path / "offline/runs/wandb").glob("offline-run-*")
    sync = client(
        f"import sys; sys.argv = ['wandb', 'sync', {str(run)!r}]; from wandb.cli import cli; cli.cli()", "offline"
    )
    assert sync.returncode == 0, sync.stderr
    found = call(client, "user/proj/model-y:best", RESOLVE)["found"]
    assert (found["reference"], found["metadata"]) == ("user/proj/model-y:v0", {"score": 0.75})
