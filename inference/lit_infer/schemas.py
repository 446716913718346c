"""Manifests of older released schemas: their plain data, translated step by step.

A released schema stays readable forever: tests/fixtures holds bundles of each.
"""

from typing import Any


def translated(data: dict[str, Any], schema: int, *, newest: int) -> dict[str, Any]:
    """The plain data of a manifest in the newest schema. Raises ValueError for a schema that was never released."""
    for older in range(schema, newest):
        if older not in _TRANSLATIONS:
            raise ValueError(f"schema {schema} was never released")
        data = {**_TRANSLATIONS[older](data), "schema": older + 1}
    return data


def _from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Agreement was about the best class only, and the score was an accuracy."""
    graphs = []
    for graph in data.get("graphs", ()):
        changed = dict(graph)
        if parity := changed.get("parity"):
            changed["parity"] = {("agreement" if k == "top1_agreement" else k): v for k, v in parity.items()}
        if score := changed.get("score"):
            changed["score"] = {"metric": "accuracy", **score}
        graphs.append(changed)
    return {**data, "graphs": graphs}


def _from_2(data: dict[str, Any]) -> dict[str, Any]:
    """Rows were taken to be independent, and nothing was recorded of what the proof did not reach."""
    return data


def _from_3(data: dict[str, Any]) -> dict[str, Any]:
    """Preprocessing was stated and never compared with training's own transform."""
    return data


_TRANSLATIONS = {1: _from_1, 2: _from_2, 3: _from_3}
