"""What the double remembers: projects, their runs and their artifacts."""

import base64
import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

COMMITTED, PENDING = "COMMITTED", "PENDING"


@dataclass
class Run:
    """A run, as UpsertBucket made it."""

    id: str
    name: str
    """What users call the run's id."""
    project: "Project"
    job_type: str | None = None
    display_name: str | None = None
    config: str = "{}"
    summary: str = "{}"
    state: str = "running"
    used: list["Artifact"] = field(default_factory=list)
    logged: list["Artifact"] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    streamed: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of its file_stream requests: history, summary, console."""


@dataclass
class Artifact:
    """A version of a collection; it has an index once it is committed."""

    id: str
    collection: "Collection"
    digest: str
    created_by: Run
    metadata: str | None
    description: str | None
    wanted_aliases: list[str]
    index: int | None = None
    state: str = PENDING
    manifest_id: str = ""
    manifest: bytes = b""
    files: dict[str, str] = field(default_factory=dict)
    """File name to its key in the storage."""
    sizes: dict[str, int] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"))


@dataclass
class Collection:
    """What the versions of one name belong to."""

    id: str
    name: str
    type: str
    project: "Project"
    versions: list[Artifact] = field(default_factory=list)
    aliases: dict[str, Artifact] = field(default_factory=dict)

    def find(self, alias: str) -> Artifact | None:
        """The version that an alias or `v3` means."""
        return next((v for v in self.versions if f"v{v.index}" == alias), self.aliases.get(alias))

    def aliases_of(self, artifact: Artifact) -> list[str]:
        """Without its version."""
        return [alias for alias, target in self.aliases.items() if target is artifact]


@dataclass
class Project:
    """An entity's project."""

    id: str
    entity: str
    name: str
    runs: dict[str, Run] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)


class State:
    """Everything, by name and by id."""

    def __init__(self) -> None:
        self.projects: dict[tuple[str, str], Project] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.manifests: dict[str, Artifact] = {}
        self.client_ids: dict[str, Artifact] = {}
        self.storage: dict[str, bytes] = {}
        self._numbers = itertools.count(1)

    def new_id(self, kind: str) -> str:
        """An id such as the server would give."""
        return f"{kind}-{next(self._numbers)}"

    def project(self, entity: str, name: str) -> Project:
        """The project, made if it is new."""
        return self.projects.setdefault((entity, name), Project(self.new_id("project"), entity, name))

    def run(self, entity: str, project: str, name: str) -> Run:
        """The run, made if it is new."""
        home = self.project(entity, project)
        return home.runs.setdefault(name, Run(self.new_id("run"), name, home))

    def collection(self, reference: str) -> Collection:
        """For tests: `entity/project/name`."""
        entity, project, name = reference.split("/")
        return self.projects[entity, project].collections[name]

    def commit(self, artifact: Artifact) -> None:
        """Give the version its number, and its aliases to it."""
        collection = artifact.collection
        if artifact.state == PENDING:
            artifact.index, artifact.state = len(collection.versions), COMMITTED
            collection.versions.append(artifact)
        for alias in {"latest", *artifact.wanted_aliases}:
            collection.aliases[alias] = artifact

    def add(
        self,
        collection: str,
        files: Mapping[str, bytes],
        *,
        aliases: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        **entry: Any,
    ) -> Artifact:
        """For tests: a version of `entity/project/name`, as if a run had logged it. `entry`: more for each file."""
        entity, project, name = collection.split("/")
        run = self.run(entity, project, "seed")
        home = run.project.collections.setdefault(name, Collection(self.new_id("c"), name, "model", run.project))
        contents = {}
        artifact = Artifact(self.new_id("artifact"), home, "", run, json.dumps(metadata or {}), None, list(aliases))
        for path, body in files.items():
            digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            artifact.files[path] = f"{entity}/{digest.replace('/', '_')}"
            artifact.sizes[path] = len(body)
            self.storage[artifact.files[path]] = body
            contents[path] = {"digest": digest, "size": len(body), **entry}
        lines = "".join(f"{path}:{contents[path]['digest']}\n" for path in sorted(contents))
        text = f"wandb-artifact-manifest-v1\n{lines}"
        artifact.digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        manifest = {"version": 1, "storagePolicy": "wandb-storage-policy-v1", "contents": contents}
        artifact.manifest = json.dumps({**manifest, "storagePolicyConfig": {"storageLayout": "V2"}}).encode()
        artifact.manifest_id = self.new_id("manifest")
        self.manifests[artifact.manifest_id] = artifact
        self.artifacts[artifact.id] = artifact
        self.commit(artifact)
        run.logged.append(artifact)
        return artifact
