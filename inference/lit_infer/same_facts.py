"""Do two manifests describe one model? The facts that decide its answers, without what each export adds of its own."""

from lit_infer.manifest import Manifest

_FACTS = (
    "task",
    "inputs",
    "preprocess",
    "scale",
    "normalize",
    "fields",
    "tiles",
    "outputs",
    "labels",
    "answers",
    "taken",
    "rows",
    "license",
)
_SOURCE = ("digest", "weights", "submodule", "adapter", "call")


def differences(one: Manifest, other: Manifest) -> list[str]:
    """The names of the facts that differ."""
    facts = [name for name in _FACTS if getattr(one, name) != getattr(other, name)]
    return facts + [name for name in _SOURCE if getattr(one.source, name) != getattr(other.source, name)]
