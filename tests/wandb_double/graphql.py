"""The GraphQL operations that wandb 0.31 sends, each with its handler.

A handler gets the double and the variables, and gives `data`.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.wandb_double import objects
from tests.wandb_double.state import Artifact, Collection, Project

if TYPE_CHECKING:
    from tests.wandb_double.server import Double

Variables = dict[str, Any]
Handler = Callable[["Double", Variables], dict[str, Any]]


class RefusedError(Exception):
    """The server says no: a GraphQL error, as HTTP `status`."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.status = status


# -- who is asking


def viewer(double: "Double", _: Variables) -> dict[str, Any]:
    edges = [{"node": {"name": entity}} for entity in double.entities]
    facts = {"id": "viewer", "entity": double.user, "username": double.user, "email": "", "flags": "{}"}
    return {"viewer": {**facts, "name": double.user, "admin": False, "deletedAt": None, "teams": {"edges": edges}}}


def server_features(_: "Double", __: Variables) -> dict[str, Any]:
    return {"serverInfo": {"features": []}}


def xxhash_enabled(_: "Double", __: Variables) -> dict[str, Any]:
    return {"entity": {"xxhashDigestsEnabled": False}}


def organization(_: "Double", __: Variables) -> dict[str, Any]:
    return {"entity": {"organization": None}}


# -- runs


def upsert_run(double: "Double", given: Variables) -> dict[str, Any]:
    entity = given.get("entity") or double.user
    _check_may_write(double, entity)
    project = double.state.project(entity, given.get("project") or "uncategorized")
    inserted = given["name"] not in project.runs
    run = double.state.run(entity, project.name, given["name"])
    run.job_type = given.get("jobType") or run.job_type
    run.display_name = given.get("displayName") or run.display_name or run.name
    run.config = given.get("config") or run.config
    run.summary = given.get("summaryMetrics") or run.summary
    return {"upsertBucket": {"bucket": objects.run(run), "inserted": inserted}}


def resume_status(double: "Double", given: Variables) -> dict[str, Any]:
    project = double.state.projects.get((given.get("entity") or double.user, given["project"]))
    run = project.runs.get(given["name"]) if project else None
    return (
        {"model": {**objects.project(project), "bucket": objects.run(run) if run else None}}
        if project
        else {"model": None}
    )


def run_files(double: "Double", given: Variables) -> dict[str, Any]:
    entity = given["entity"] or double.user
    prefix = f"{double.url}/run-files/{entity}/{given['project']}/{given['run']}"
    files = [{"name": name, "uploadUrl": f"{prefix}/{name}"} for name in given["files"]]
    return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}


def read_run(double: "Double", given: Variables) -> dict[str, Any]:
    project = double.state.projects.get((given["entity"], given["project"]))
    run = project.runs.get(given["name"]) if project else None
    return {"project": {"internalId": "1", "run": objects.run(run) if run else None}}


def run_artifacts(kind: str) -> Handler:
    def handler(double: "Double", given: Variables) -> dict[str, Any]:
        run = double.state.run(given["entity"], given["project"], given["run"])
        return {
            "project": {
                "run": {"artifacts": objects.page(objects.artifact(artifact) for artifact in getattr(run, kind))}
            }
        }

    return handler


# -- logging an artifact, in the order of the requests


def create_artifact(double: "Double", given: Variables) -> dict[str, Any]:
    asked = given["input"]
    entity = asked["entityName"] or double.user  # wandb sync leaves it to the server
    _check_may_write(double, entity)
    run = double.state.run(entity, asked["projectName"], asked["runName"])
    name = asked["artifactCollectionName"] or asked["artifactCollectionNames"][0]
    fresh = Collection(double.state.new_id("collection"), name, asked["artifactTypeName"], run.project)
    collection = run.project.collections.setdefault(name, fresh)
    latest = collection.find("latest")
    aliases = [alias["alias"] for alias in asked.get("aliases") or ()]
    if latest is not None and latest.digest == asked["digest"]:
        artifact = latest
        artifact.wanted_aliases = aliases
        double.state.commit(artifact)
    else:
        artifact = Artifact(
            id=double.state.new_id("artifact"),
            collection=collection,
            digest=asked["digest"],
            created_by=run,
            metadata=asked.get("metadata"),
            description=asked.get("description"),
            wanted_aliases=aliases,
        )
        double.state.artifacts[artifact.id] = artifact
    if asked.get("clientID"):
        double.state.client_ids[asked["clientID"]] = artifact
    newest = {"id": latest.id, "versionIndex": latest.index} if latest else None
    sequence = {"id": collection.id, "latestArtifact": newest}
    return {"createArtifact": {"artifact": {"id": artifact.id, "state": artifact.state, "artifactSequence": sequence}}}


def create_manifest(double: "Double", given: Variables) -> dict[str, Any]:
    artifact = double.state.artifacts[given["artifactID"]]
    if not artifact.manifest_id:
        artifact.manifest_id = double.state.new_id("manifest")
        double.state.manifests[artifact.manifest_id] = artifact
    return {"createArtifactManifest": {"artifactManifest": objects.manifest(double, artifact)}}


def update_manifest(double: "Double", given: Variables) -> dict[str, Any]:
    artifact = double.state.manifests[given["artifactManifestID"]]
    return {"updateArtifactManifest": {"artifactManifest": objects.manifest(double, artifact)}}


def create_files(double: "Double", given: Variables) -> dict[str, Any]:
    nodes = []
    for asked in given["input"]["artifactFiles"]:
        artifact = double.state.artifacts[asked["artifactID"]]
        key = f"{artifact.collection.project.entity}/{asked['md5'].replace('/', '_')}"
        artifact.files[asked["name"]] = key
        url = None if key in double.state.storage else f"{double.url}/storage/{key}"
        where: dict[str, Any] = {"storagePath": key, "uploadUrl": url, "uploadHeaders": [], "uploadMultipartUrls": None}
        nodes.append({**where, "name": asked["name"], "artifact": {"id": artifact.id}})
    return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}


def commit_artifact(double: "Double", given: Variables) -> dict[str, Any]:
    artifact = double.state.artifacts[given["artifactID"]]
    contents = json.loads(artifact.manifest)["contents"]
    missing = [name for name in contents if double.state.storage.get(artifact.files.get(name, "")) is None]
    if missing:
        raise RefusedError(f"files were never uploaded: {missing}")
    artifact.sizes = {name: entry.get("size", 0) for name, entry in contents.items()}
    double.state.commit(artifact)
    artifact.created_by.logged.append(artifact)
    return {"commitArtifact": {"artifact": {"id": artifact.id, "digest": artifact.digest}}}


def use_artifact(double: "Double", given: Variables) -> dict[str, Any]:
    asked = given.get("input", given)  # wandb-core wraps the fields, the Python side does not
    run = double.state.run(asked["entityName"], asked["projectName"], asked["runName"])
    run.used.append(double.state.artifacts[asked["artifactID"]])
    return {"useArtifact": {"artifact": {"id": asked["artifactID"]}}}


# -- reading artifacts


def artifact_type(double: "Double", given: Variables) -> dict[str, Any]:
    project = _visible(double, given.get("entity") or double.user, given["project"])
    collection = project.collections.get(given["name"].partition(":")[0]) if project else None
    found = {"artifactType": {"name": collection.type}} if collection else None
    return {"project": {"artifact": found} if project else None}


def membership_by_name(double: "Double", given: Variables) -> dict[str, Any]:
    project = _visible(double, given["entity"], given["project"])
    name, _, alias = given["name"].partition(":")
    collection = project.collections.get(name) if project else None
    artifact = collection.find(alias or "latest") if collection else None
    return {
        "project": {"artifactCollectionMembership": objects.membership(artifact) if artifact else None}
        if project
        else None
    }


def artifact_by_id(double: "Double", given: Variables) -> dict[str, Any]:
    artifact = double.state.artifacts.get(given["id"])
    return {"artifact": objects.artifact(artifact) if artifact else None}


def client_id_mapping(double: "Double", given: Variables) -> dict[str, Any]:
    artifact = double.state.client_ids.get(given["clientID"])
    return {"clientIDMapping": {"serverID": artifact.id} if artifact else None}


def fetch_manifest(double: "Double", given: Variables) -> dict[str, Any]:
    artifact = double.state.artifacts[given.get("id") or given["artifact_id"]]
    return {"artifact": {"currentManifest": objects.manifest(double, artifact)}}


def membership_files(double: "Double", given: Variables) -> dict[str, Any]:
    project = _visible(double, given["entity"], given["project"])
    collection = project.collections.get(given["collection"]) if project else None
    artifact = collection.find(given["alias"]) if collection else None
    if artifact is None:
        return {"project": None}
    wanted = given.get("fileNames") or artifact.files
    nodes = (objects.file(double, artifact, name) for name in artifact.files if name in wanted)
    membership = {"files": objects.page(nodes)}
    return {"project": {"artifactCollection": {"__typename": "ArtifactSequence", "artifactMembership": membership}}}


def used_by(double: "Double", given: Variables) -> dict[str, Any]:
    artifact = double.state.artifacts[given["id"]]
    runs = (run for project in double.state.projects.values() for run in project.runs.values())
    return {"artifact": {"usedBy": {"edges": [{"node": objects.run(run)} for run in runs if artifact in run.used]}}}


def created_by(double: "Double", given: Variables) -> dict[str, Any]:
    return {"artifact": {"createdBy": objects.run(double.state.artifacts[given["id"]].created_by)}}


def project_types(double: "Double", given: Variables) -> dict[str, Any]:
    project = _visible(double, given["entity"], given["project"])
    names = sorted({collection.type for collection in project.collections.values()}) if project else []
    return {"project": {"artifactTypes": objects.page(objects.kind(name) for name in names)} if project else None}


def project_type(double: "Double", given: Variables) -> dict[str, Any]:
    project = _visible(double, given["entity"], given["project"])
    return {"project": {"artifactType": objects.kind(given["type"])} if project else None}


def type_collections(double: "Double", given: Variables) -> dict[str, Any]:
    project = _visible(double, given["entity"], given["project"])
    found = [c for c in project.collections.values() if c.type == given["type"]] if project else []
    page = objects.page(objects.collection(collection) for collection in found)
    return {"project": {"artifactType": {"artifactCollections": page}} if project else None}


def project_collection(double: "Double", given: Variables) -> dict[str, Any]:
    project = _visible(double, given["entity"], given["project"])
    found = project.collections.get(given["name"]) if project else None
    type_ = {"artifactCollection": objects.collection(found)} if found and found.type == given["type"] else None
    return {"project": {"artifactType": type_} if project else None}


def project_artifacts(double: "Double", given: Variables) -> dict[str, Any]:
    project = _visible(double, given["entity"], given["project"])
    found = project.collections.get(given["collection"]) if project else None
    versions = list(found.versions if found else ())
    edges = [{"version": f"v{version.index}", "node": objects.artifact(version), "cursor": ""} for version in versions]
    page = {"totalCount": len(edges), "pageInfo": objects.PAGE_INFO, "edges": edges}
    return {"project": {"artifactType": {"artifactCollection": {"__typename": "ArtifactSequence", "artifacts": page}}}}


def collection_aliases(double: "Double", given: Variables) -> dict[str, Any]:
    every = (c for project in double.state.projects.values() for c in project.collections.values())
    collection = next(found for found in every if found.id == given["id"])
    names = [*collection.aliases, *(f"v{version.index}" for version in collection.versions)]
    page = objects.page(objects.alias(name) for name in names)
    return {"artifactCollection": {"__typename": "ArtifactSequence", "aliases": page}}


# -- changing artifacts


def add_aliases(double: "Double", given: Variables) -> dict[str, Any]:
    artifact = double.state.artifacts[given["input"]["artifactID"]]
    _check_may_write(double, artifact.collection.project.entity)
    for asked in given["input"]["aliases"]:
        artifact.collection.aliases[asked["alias"]] = artifact
    return {"result": {"success": True}}


def delete_aliases(double: "Double", given: Variables) -> dict[str, Any]:
    artifact = double.state.artifacts[given["input"]["artifactID"]]
    for asked in given["input"]["aliases"]:
        if artifact.collection.aliases.get(asked["alias"]) is artifact:
            del artifact.collection.aliases[asked["alias"]]
    return {"result": {"success": True}}


def update_artifact(double: "Double", given: Variables) -> dict[str, Any]:
    asked = given["input"]
    artifact = double.state.artifacts[asked["artifactID"]]
    artifact.metadata = asked.get("metadata", artifact.metadata)
    return {"result": {"artifact": objects.artifact(artifact)}}


# -- who may


def _visible(double: "Double", entity: str, project: str) -> Project | None:
    """None is W&B's answer to whoever may not see a project, too."""
    found = double.state.projects.get((entity, project))
    return found if entity in double.entities else None


def _check_may_write(double: "Double", entity: str) -> None:
    if entity not in double.entities or double.read_only:
        raise RefusedError("permission denied", status=403)


HANDLERS: dict[str, Handler] = {
    "AddAliases": add_aliases,
    "ArtifactByID": artifact_by_id,
    "ArtifactCollectionAliases": collection_aliases,
    "ArtifactCreatedBy": created_by,
    "ArtifactManifest": fetch_manifest,
    "ArtifactMembershipByName": membership_by_name,
    "ArtifactMembershipFiles": membership_files,
    "ArtifactType": artifact_type,
    "ArtifactTypeArtifactCollections": type_collections,
    "ArtifactUsedBy": used_by,
    "ClientIDMapping": client_id_mapping,
    "CommitArtifact": commit_artifact,
    "CreateArtifact": create_artifact,
    "CreateArtifactFiles": create_files,
    "CreateArtifactManifest": create_manifest,
    "CreateRunFiles": run_files,
    "DeleteAliases": delete_aliases,
    "FetchArtifactManifest": fetch_manifest,
    "GetArtifactMembershipFileUrls": membership_files,
    "GetDefaultEntity": viewer,
    "GetViewer": viewer,
    "OrganizationCoreWeaveOrganizationID": organization,
    "ProjectArtifactCollection": project_collection,
    "ProjectArtifactType": project_type,
    "ProjectArtifactTypes": project_types,
    "ProjectArtifacts": project_artifacts,
    "Run": read_run,
    "RunInputArtifacts": run_artifacts("used"),
    "RunOutputArtifacts": run_artifacts("logged"),
    "RunResumeStatus": resume_status,
    "ServerFeaturesQuery": server_features,
    "UpdateArtifact": update_artifact,
    "UpdateArtifactManifest": update_manifest,
    "UpsertBucket": upsert_run,
    "UseArtifact": use_artifact,
    "Viewer": viewer,
    "XXHashDigestsEnabled": xxhash_enabled,
}
