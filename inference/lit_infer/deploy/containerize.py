"""The story of `lit-serve containerize`: a model and a runtime that are pinned, and the files that run them.

    DIR/Containerfile .dockerignore requirements.txt lit_deploy-….whl model/      the image
    DIR/compose.yaml NAME.service                                                 one machine
    DIR/kubernetes/ service-monitor.yaml prometheus-adapter.yaml                  a cluster

Nothing is built and nothing is reached: what the files say is decided here, and the same model gives the same files.
"""

import json
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

import msgspec

from lit_infer import bundle, files, opening
from lit_infer.deploy import requirements, wheel
from lit_infer.errors import UsageError
from lit_infer.hardware import DEFAULT_BATCH_SIZE
from lit_infer.manifest import Manifest
from lit_infer.settings import TunedSettings

_LIBRARIES = {"opencv": "opencv", "tifffile": "tiff"}  # of preprocessing, and the extra that brings each
_BASE_MIB, _GRAPH_COPIES, _STEP_MIB = 512, 4, 128
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._:/@-]{0,254}")
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class Asked:
    """What the image and its deployment should have."""

    engine: str = "auto"
    precision: str = "auto"
    image: str | None = None
    """The image's name and tag; None: `lit-serve/NAME:DIGEST`."""
    base: str | None = None
    """The Python image that it is built on; None: the slim one of the Python that runs here."""
    cpus: int | None = None
    """Cores for a server; None: what `lit-bench tune` found best, else 2."""
    memory: int | None = None
    """MiB; None: 512 and four times the graph."""
    extras: tuple[str, ...] = ()
    """More parts of lit-deploy, such as heif and trace."""


@dataclass(frozen=True)
class Containerized:
    """What was made."""

    folder: Path
    image: str
    notes: tuple[str, ...]
    """What to know before it is used."""


def containerize(model: str, out: Path, asked: Asked) -> Containerized:
    """Write everything into a new folder, which appears when it is whole.

    Raises UsageError for a folder that is not empty, and for a graph whose engine no image is made for.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out} is not an empty folder: name a new one")
    for option, name in (("--image", asked.image), ("--base", asked.base)):
        if name and not _IMAGE.fullmatch(name):
            raise UsageError(f"{option} {name!r} is no name of an image, such as registry.example/team/model:1.2")
    graph, tuned = opening.choose(model, device="cpu", engine=asked.engine, precision=asked.precision)
    _check_engine(graph)
    if graph.listed is not None and out.absolute().resolve().is_relative_to(graph.path.parent.resolve()):
        raise UsageError(f"--out {out} lies in the model's folder, which goes into the image: name a folder elsewhere")
    _, facts = graph.open(device="cpu", threads=1)  # a damaged model is found here, not when the image starts
    needed = requirements.lines(["serve", graph.engine.extra, *_libraries(facts), *asked.extras])
    with files.staging_folder(out.absolute().parent) as staging:
        made = staging / out.name
        made.mkdir()
        served = _copy_model(graph, made / "model")
        (made / "requirements.txt").write_text(needed)
        values = _values(facts, graph, tuned, asked, served=served, wheel=wheel.build(made).name)
        _fill(resources.files("lit_infer.deploy") / "templates", made, values)
        files.sync_tree(made)
        if out.exists():
            out.rmdir()
        made.rename(out)
    return Containerized(out, values["image"], tuple(_notes(asked, tuned, values)))


def _check_engine(graph: bundle.GraphFile) -> None:
    if graph.engine.extra not in requirements.EXTRAS:
        raise UsageError(
            f"{graph.path.name} needs lit-deploy[{graph.engine.extra}], for which no image is made: "
            "export the model to ONNX, or name another graph of the bundle with --engine"
        )


def _libraries(facts: Manifest) -> list[str]:
    """The parts of lit-deploy that prepare the model's images."""
    used = json.dumps(msgspec.to_builtins(facts.preprocess))
    return [extra for library, extra in _LIBRARIES.items() if f'"{library}"' in used]


def _copy_model(graph: bundle.GraphFile, folder: Path) -> str:
    """Copy the bundle, or the lone graph file; return its path in the image."""
    if graph.listed is not None:
        shutil.copytree(graph.path.parent, folder)
    else:
        folder.mkdir()
        shutil.copyfile(graph.path, folder / graph.path.name)
    for path in (folder, *folder.rglob("*")):  # another user reads it there
        path.chmod(0o755 if path.is_dir() else 0o644)
    return "model" if graph.listed is not None else f"model/{graph.path.name}"


def _values(
    facts: Manifest, graph: bundle.GraphFile, tuned: TunedSettings, asked: Asked, *, served: str, wheel: str
) -> dict[str, str]:
    from lit_infer import __version__

    label = re.sub(r"[^a-z0-9]+", "-", facts.name.lower()).strip("-")[:40].strip("-") or "model"
    label = label if label[0].isalpha() else f"m-{label}"
    version = facts.identity().rpartition("@")[2]
    cpus = asked.cpus or tuned.threads or 2
    name = facts.name if _SAFE.fullmatch(facts.name) else label
    arguments = ["--host", "0.0.0.0", *_choices(tuned, asked)]  # noqa: S104 - in a container of its own
    at_home = [f"{name}=/opt/{label}/{served}", *_choices(tuned, asked)]
    return {
        "identity": facts.identity(),
        "release": __version__,
        "label": label,
        "version": version,
        "image": asked.image or f"lit-serve/{label}:{version}",
        "base": asked.base or f"docker.io/library/python:{_python()}-slim-trixie",
        "python": _python(),
        "wheel": wheel,
        "arguments": json.dumps([f"{name}=/{served}", *arguments]),
        "unit_arguments": shlex.join(at_home).replace("%", "%%"),
        "cpus": str(cpus),
        "quota": str(100 * cpus),
        "memory": str(asked.memory or _memory(graph.path.stat().st_size)),
        "batch": str(tuned.batch_size or DEFAULT_BATCH_SIZE),
    }


def _choices(tuned: TunedSettings, asked: Asked) -> list[str]:
    """What was asked for, and what `lit-bench tune` found: its file stays on this machine."""
    engine = tuned.engine if asked.engine == "auto" else asked.engine
    precision = tuned.precision if asked.precision == "auto" else asked.precision
    named = {"--engine": engine, "--precision": precision, "--max-batch": tuned.batch_size}
    return [str(word) for option, value in named.items() if value is not None for word in (option, value)]


def _memory(graph: int) -> int:
    """MiB for a server: a rule of thumb, to be compared with what the pods then take."""
    needed = _BASE_MIB + _GRAPH_COPIES * graph / 2**20
    return int(-(-needed // _STEP_MIB) * _STEP_MIB)


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _fill(templates: Traversable, folder: Path, values: dict[str, str]) -> None:
    """Write each template with the values in it."""
    names = {"dockerignore": ".dockerignore", "unit.service": f"{values['label']}.service"}
    for template in templates.iterdir():
        path = folder / names.get(template.name, template.name)
        if template.is_dir():
            path.mkdir()
            _fill(template, path, values)
        else:
            path.write_text(Template(template.read_text()).substitute(values))


def _notes(asked: Asked, tuned: TunedSettings, values: dict[str, str]) -> list[str]:
    notes = []
    if "@sha256:" not in values["base"]:
        notes.append(f"{values['base']} is not pinned: give --base NAME@sha256:… as your registry tells it")
    if asked.cpus is None and tuned.threads is None:
        notes.append(f"cpu {values['cpus']} is a guess: lit-bench tune finds out, or give --cpus")
    if asked.memory is None:
        notes.append(f"memory {values['memory']} MiB is a rule of thumb: compare it with what the server takes")
    return notes
