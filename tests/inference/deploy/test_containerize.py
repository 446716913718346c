"""What is written for a model: pinned, valid, and of one piece."""

import configparser
import json
import re
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from lit_infer import manifest, settings
from lit_infer.deploy.containerize import Asked, containerize
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.images.values import Channels, ReadImage
from lit_infer.manifest import Step
from lit_infer.server import cli
from tests.inference.tiny import STEPS, described, graph_bytes, listed, make_bundle
from tests.support import kubernetes


@pytest.fixture(scope="module")
def made(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only."""
    out = tmp_path_factory.mktemp("deploy") / "image"
    containerize(str(bundle_folder), out, Asked(image="registry.example.org/colours:1", cpus=4, memory=900))
    return out


def cluster(made: Path) -> dict[str, dict[str, Any]]:
    """Every document below kubernetes/, by its kind."""
    documents = [one for path in (made / "kubernetes").iterdir() for one in kubernetes.documents(path.read_text())]
    return {document["kind"]: document for document in documents}


def command(made: Path) -> list[str]:
    """The image's command."""
    line: list[str] = json.loads(re.findall(r"^CMD (.+)$", (made / "Containerfile").read_text(), re.MULTILINE)[-1])
    return line


def test_kubernetes_takes_every_document(made: Path) -> None:
    documents = cluster(made)

    assert set(documents) == {
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
    }
    for document in documents.values():
        kubernetes.check(document)


@pytest.mark.parametrize("field", ["readinesProbe", "resource"])
def test_a_misspelt_field_would_be_found(field: str, made: Path) -> None:
    document = cluster(made)["Deployment"]
    document["spec"]["template"]["spec"]["containers"][0][field] = {}

    with pytest.raises(Exception, match=field):
        kubernetes.check(document)


def test_the_documents_are_about_the_same_pods_and_ports(made: Path) -> None:
    documents = cluster(made)
    template = documents["Deployment"]["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    monitor = yaml.safe_load((made / "service-monitor.yaml").read_text())
    selectors = [
        documents["Deployment"]["spec"]["selector"]["matchLabels"],
        documents["Service"]["spec"]["selector"],
        documents["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        documents["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        template["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ]

    assert all(selector and selector.items() <= labels for selector in selectors)
    (container,) = template["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": 8000, "grpc": 8001}
    assert {port["targetPort"] for port in documents["Service"]["spec"]["ports"]} == set(ports)
    allowed = [port["port"] for rule in documents["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]]
    assert set(allowed) == set(ports)
    probes = [container[f"{name}Probe"]["httpGet"]["port"] for name in ("startup", "readiness", "liveness")]
    assert probes == ["http"] * 3
    target = documents["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", documents["Deployment"]["metadata"]["name"])
    service = documents["Service"]
    assert monitor["kind"] == "ServiceMonitor"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [one["port"] for one in monitor["spec"]["endpoints"]] == ["http"]
    adapter = yaml.safe_load((made / "prometheus-adapter.yaml").read_text())
    metric = documents["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert [rule["name"]["as"] for rule in adapter["rules"]["custom"]] == [metric]


def test_a_pod_has_what_was_asked_for_and_no_rights(made: Path) -> None:
    pod = cluster(made)["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert container["image"] == "registry.example.org/colours:1"
    assert container["args"] == command(made)
    assert container["resources"]["limits"] == {"cpu": "4", "memory": "900Mi"}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
    assert pod["terminationGracePeriodSeconds"] > 5 + 1 + 20  # docs/serving.md#stopping


def test_the_container_s_command_is_one_that_the_server_takes(made: Path) -> None:
    context = typer.main.get_command(cli.app).make_context("lit-serve", command(made))

    assert (context.params["host"], context.params["models"]) == ("0.0.0.0", ["colours=/model"])  # noqa: S104


def test_the_image_is_built_of_files_that_are_sent_to_the_builder(made: Path) -> None:
    text = (made / "Containerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE) for name in line.split()[:-1]]
    sent = re.findall(r"^!(.+)$", (made / ".dockerignore").read_text(), re.MULTILINE)

    assert sorted(copied) == sorted(sent)
    assert all((made / name).exists() for name in copied)
    assert zipfile.is_zipfile(next(made.glob("lit_deploy-*.whl")))
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert text.count("--require-hashes") == 1
    assert "$$" not in text


def test_the_model_goes_in_unchanged_and_any_user_may_read_it(bundle_folder: Path, made: Path) -> None:
    for path in bundle_folder.iterdir():
        copied = made / "model" / path.name
        assert copied.read_bytes() == path.read_bytes()
        assert stat.S_IMODE(copied.stat().st_mode) == 0o644


def test_the_compose_file_builds_the_same_image_with_the_same_limits(made: Path) -> None:
    (service,) = yaml.safe_load((made / "compose.yaml").read_text())["services"].values()

    assert (service["image"], service["cpus"], service["mem_limit"]) == ("registry.example.org/colours:1", 4, "900m")
    assert (made / service["build"]["dockerfile"]).is_file()
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_unit_starts_the_server_that_its_comment_installs(made: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(made / "colours.service")
    program, *arguments = unit["Service"]["ExecStart"].split()

    assert (program, arguments) == ("/opt/colours/bin/lit-serve", ["colours=/opt/colours/model"])
    assert (unit["Service"]["MemoryMax"], unit["Service"]["CPUQuota"]) == ("900M", "400%")
    assert next(made.glob("*.whl")).name in (made / "colours.service").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze comes with systemd")
def test_systemd_finds_nothing_wrong_with_the_unit(made: Path, tmp_path: Path) -> None:
    unit = tmp_path / "colours.service"
    unit.write_text((made / "colours.service").read_text().replace("/opt/colours/bin/lit-serve", "/bin/true"))
    line = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)]

    done = subprocess.run(line, capture_output=True, text=True, check=False)

    assert [text for text in done.stderr.splitlines() if "colours" in text] == []
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSytem=strict"))
    assert "ProtectSytem" in subprocess.run(line, capture_output=True, text=True, check=False).stderr


def test_what_the_tuner_found_is_taken(bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIT_CACHE", str(tmp_path / "cache"))
    found = settings.TunedSettings(batch_size=16, threads=3, engine="onnx")
    settings.write(manifest.read(bundle_folder), found)

    result = containerize(str(bundle_folder), tmp_path / "image", Asked())

    documents = cluster(tmp_path / "image")
    (container,) = documents["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["args"][-4:] == ["--engine", "onnx", "--max-batch", "16"]
    assert container["resources"]["requests"] == {"cpu": "3", "memory": "640Mi"}
    metrics = documents["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metrics[0]["pods"]["target"]["averageValue"] == "16"
    assert [note.partition(" ")[2].partition(":")[0] for note in result.notes] == [
        "is not pinned",
        "640 MiB is a rule of thumb",
    ]


def test_a_pinned_base_and_named_sizes_leave_nothing_to_say(bundle_folder: Path, tmp_path: Path) -> None:
    base = f"registry.example.org/python@sha256:{'0' * 64}"
    result = containerize(str(bundle_folder), tmp_path / "image", Asked(base=base, cpus=1, memory=512))

    assert result.notes == ()
    assert f"ARG PYTHON={base}\n" in (tmp_path / "image/Containerfile").read_text()


def test_a_lone_graph_file_goes_in_under_a_name_that_a_cluster_takes(tmp_path: Path) -> None:
    graph = tmp_path / "model.onnx"
    graph.write_bytes(graph_bytes(described(name="9 Colours/of Größe").embedded()))

    result = containerize(str(graph), tmp_path / "image", Asked(extras=("trace",)))

    documents = cluster(tmp_path / "image")
    for document in documents.values():
        kubernetes.check(document)
        assert document["metadata"]["name"] == "m-9-colours-of-gr-e"
    assert command(tmp_path / "image")[0] == "m-9-colours-of-gr-e=/model/model.onnx"
    assert result.image == "lit-serve/m-9-colours-of-gr-e:0123456789ab"
    assert "opentelemetry-sdk==" in (tmp_path / "image/requirements.txt").read_text()


def test_a_model_that_opencv_prepares_brings_opencv(tmp_path: Path) -> None:
    read = Step(read=ReadImage(mode="rgb", library="opencv"))
    model = make_bundle(tmp_path / "model", preprocess=(read, Step(channels=Channels(order=(0, 1, 2))), *STEPS))

    containerize(str(model), tmp_path / "image", Asked())

    assert "opencv-python-headless==" in (tmp_path / "image/requirements.txt").read_text()


def test_what_cannot_be_is_refused_and_nothing_is_left(bundle_folder: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(bundle_folder, tmp_path / "damaged"))
    with (damaged / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ArtifactError):
        containerize(str(damaged), tmp_path / "image", Asked())
    with pytest.raises(UsageError, match="an image cannot have the extra torch"):
        containerize(str(bundle_folder), tmp_path / "image", Asked(extras=("torch",)))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    with pytest.raises(UsageError, match="is not an empty folder"):
        containerize(str(bundle_folder), tmp_path / "full", Asked())

    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "full"]


def test_a_graph_that_needs_torch_is_refused(tmp_path: Path) -> None:
    graph = tmp_path / "graph.pt"
    graph.write_bytes(b"x")
    model = make_bundle(tmp_path / "model", listed(graph, "torchscript"))
    shutil.copyfile(graph, model / "graph.pt")

    with pytest.raises(
        UsageError, match=r"graph\.pt needs lit-deploy\[torch\], for which no image is made: .* --engine"
    ):
        containerize(str(model), tmp_path / "image", Asked(engine="torchscript"))
