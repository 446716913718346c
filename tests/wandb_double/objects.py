"""Projects, runs and artifacts as W&B's GraphQL writes them; more than was selected, the client ignores the rest."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.wandb_double.state import Artifact, Collection, Project, Run

if TYPE_CHECKING:
    from tests.wandb_double.server import Double

PAGE_INFO = {"__typename": "PageInfo", "hasNextPage": False, "endCursor": None}


def page(nodes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    edges = [{"node": node, "cursor": ""} for node in nodes]
    return {"totalCount": len(edges), "pageInfo": PAGE_INFO, "edges": edges}


def project(found: Project) -> dict[str, Any]:
    entity = {"id": found.entity, "name": found.entity}
    return {"id": found.id, "internalId": "1", "name": found.name, "entity": entity}


def run(found: Run) -> dict[str, Any]:
    return {
        "__typename": "Run",
        "id": found.id,
        "name": found.name,
        "displayName": found.display_name,
        "description": None,
        "project": project(found.project),
        "projectId": "1",
        "jobType": found.job_type,
        "config": found.config,
        "summaryMetrics": found.summary,
        "systemMetrics": "{}",
        "state": found.state,
        "sweepName": None,
        "group": None,
        "commit": None,
        "readOnly": False,
        "notes": None,
        "tags": [],
        "createdAt": "2026-01-01T00:00:00Z",
        "heartbeatAt": "2026-01-01T00:00:00Z",
        "historyLineCount": 0,
        "logLineCount": 0,
        "eventsLineCount": 0,
        "historyTail": "[]",
        "eventsTail": "[]",
        "wandbConfig": "{}",
        "user": {"name": "user", "username": "user"},
        "historyKeys": None,
        "historyTailKeys": None,
    }


def kind(name: str) -> dict[str, Any]:
    about = {"description": None, "createdAt": "2026-01-01T00:00:00"}
    return {"__typename": "ArtifactType", "id": f"type-{name}", "name": name, **about}


def collection(found: Collection) -> dict[str, Any]:
    return {
        "__typename": "ArtifactSequence",
        "id": found.id,
        "name": found.name,
        "description": None,
        "createdAt": "2026-01-01T00:00:00",
        "updatedAt": None,
        "project": project(found.project),
        "type": {"name": found.type},
        "tags": {"edges": []},
    }


def alias(name: str) -> dict[str, Any]:
    return {"__typename": "ArtifactAlias", "id": f"alias-{name}", "alias": name}


def artifact(version: Artifact) -> dict[str, Any]:
    home = version.collection
    owner = {"__typename": "ArtifactSequence", "name": home.name, "project": project(home.project)}
    return {
        "__typename": "Artifact",
        "id": version.id,
        "artifactSequence": owner,
        "versionIndex": version.index,
        "artifactType": {"name": home.type},
        "description": version.description,
        "metadata": version.metadata,
        "ttlDurationSeconds": -2,
        "ttlIsInherited": True,
        "tags": [],
        "historyStep": None,
        "state": version.state,
        "size": str(sum(version.sizes.values())),
        "digest": version.digest,
        "digestAlgorithm": "MANIFEST_MD5",
        "commitHash": version.id,
        "fileCount": len(version.sizes),
        "createdAt": version.created,
        "updatedAt": version.created,
        "aliases": [{**alias(name), "artifactCollection": owner} for name in home.aliases_of(version)],
    }


def membership(version: Artifact) -> dict[str, Any]:
    home = version.collection
    return {
        "__typename": "ArtifactCollectionMembership",
        "id": f"membership-{version.id}",
        "versionIndex": version.index,
        "createdAt": version.created,
        "aliases": [alias(name) for name in [*home.aliases_of(version), f"v{version.index}"]],
        "artifactCollection": collection(home),
        "artifact": artifact(version),
    }


def manifest(double: "Double", artifact: Artifact) -> dict[str, Any]:
    url = f"{double.url}/manifests/{artifact.manifest_id}"
    return {
        "id": artifact.manifest_id,
        "file": {"id": artifact.manifest_id, "directUrl": url, "uploadUrl": url, "uploadHeaders": []},
    }


def file(double: "Double", artifact: Artifact, name: str) -> dict[str, Any]:
    url = f"{double.url}/storage/{artifact.files[name]}"
    return {
        "__typename": "File",
        "id": f"file-{name}",
        "name": name,
        "displayName": name,
        "url": url,
        "directUrl": url,
        "sizeBytes": str(artifact.sizes[name]),
        "storagePath": artifact.files[name],
        "mimetype": "",
        "updatedAt": None,
        "digest": None,
        "md5": None,
    }
