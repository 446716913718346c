"""Deployment facts for checkpoints without any: from a YAML file, or from torchvision's own weights."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from PIL import Image

from lit_export.front.columns import columns
from lit_export.front.loaded import LoadedModule
from lit_export.front.tokenizer import text_facts
from lit_export.front.transform import TrainingTransform
from lit_export.front.transform import facts as facts_of
from lit_export.options import Options
from lit_infer import manifest, progress
from lit_infer.errors import NotFoundError, UsageError, require
from lit_infer.images import from_transform
from lit_infer.images.preprocess import dtype, on_file
from lit_infer.manifest import DeploymentFacts, Normalize, RowFields, Scale
from lit_infer.tasks import image_classification, tensor

_TORCHVISION = "torchvision:"
_TRIED = (640, 480)


def with_transform(facts: DeploymentFacts, transform: TrainingTransform | None) -> DeploymentFacts:
    """The facts with the steps of the transform, unless they have steps of their own beyond how a file is read."""
    is_stated = facts.normalize is not None or facts.scale is not None or not all(map(on_file, facts.preprocess))
    if transform is None or is_stated:
        return facts
    try:
        found = facts_of(transform)
        steps = (*facts.preprocess, *found.steps)
        scale = Scale() if found.scale is None and dtype(steps) == "uint16" else found.scale  # None would be 65535
        return replace(facts, preprocess=steps, scale=scale, normalize=_for_channels(found.normalize, transform, facts))
    except ValueError as error:
        raise UsageError(f"the transform {transform.name}: {error}") from None


def _for_channels(
    normalize: Normalize | None, transform: TrainingTransform, facts: DeploymentFacts
) -> Normalize | None:
    """A value for each channel. One value alone is for grey images, or for all channels of RGB: the transform shows.

    Files that are read unchanged are no RGB images that it could be shown with.
    """
    is_unchanged = facts.read is not None and facts.read.channels is None
    if normalize is None or len(normalize.mean) > 1 or is_unchanged:
        return normalize
    made = transform(Image.new("RGB", _TRIED), Path("an RGB image"))
    channels = next((length for length in (made.shape[0], made.shape[-1]) if length in (1, 3)), 1)
    return Normalize(mean=normalize.mean * channels, std=normalize.std * channels)


def facts_for(loaded: LoadedModule, options: Options) -> DeploymentFacts:
    """The facts of `--spec`, else those in the checkpoint, else those of a bare tensor graph."""
    fields = columns(options)
    if options.spec is not None:
        given = read_spec(options.spec, fields=fields, text=text_facts(options))
        if options.submodule is None:
            _compare(given, loaded)
        return given
    if loaded.record is not None and options.submodule is None and not options.inputs:
        recorded = loaded.record.deployment
        _check_tokenizer(recorded, options)
        return recorded if fields is None or recorded.fields is None else replace(recorded, fields=fields)
    return DeploymentFacts(task=tensor.TASK.name)


def _compare(given: DeploymentFacts, loaded: LoadedModule) -> None:
    """A checkpoint that says its task may be exported as another one, but not without a word."""
    recorded = loaded.record.deployment.task if loaded.record is not None else None
    if recorded not in (None, tensor.TASK.name, given.task):
        progress.note(f"warning: the checkpoint says that it is for {recorded}, and is exported as {given.task}")


def _check_tokenizer(recorded: DeploymentFacts, options: Options) -> None:
    """Raise UsageError for another tokenizer than that of training."""
    text = recorded.fields.text if recorded.fields is not None else None
    found = text_facts(options).get("tokenizer_sha256")
    if text is not None and found not in (None, text.tokenizer_sha256):
        raise UsageError(f"--tokenizer {options.tokenizer} is not the one that the checkpoint was trained with")


def read_spec(
    spec: str | Path, *, fields: RowFields | None = None, text: dict[str, Any] | None = None
) -> DeploymentFacts:
    """Read a spec file, or `torchvision:ResNet18_Weights.IMAGENET1K_V1`.

    `fields`: the columns that belong to it; `text`: what its tokenizer says, which the file may say otherwise.

    In a file `labels` may be a list, or the name of a text file beside it with one label per line.
    """
    if str(spec).startswith(_TORCHVISION):
        return _of_torchvision(str(spec).removeprefix(_TORCHVISION))
    path = Path(spec)
    yaml = require("yaml", extra="export", purpose="--spec")
    try:
        data: Any = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise NotFoundError(f"--spec: no file at {path}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"--spec {path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UsageError(f"--spec {path}: expected fields such as task, preprocess, normalize, labels")
    if isinstance(data.get("labels"), str):
        data["labels"] = _labels(path.parent / data["labels"])
    elif isinstance(data.get("labels"), list):
        data["labels"] = [str(label) for label in data["labels"]]  # YAML reads 0, 1, 2 as numbers
    if isinstance(data.get("outputs"), dict):
        data["outputs"] = {name: str(one) if isinstance(one, int) else one for name, one in data["outputs"].items()}
    _add_fields(data, fields, text, where=f"--spec {path}")
    return manifest.convert(data, DeploymentFacts, where=f"--spec {path}")


def _add_fields(data: dict[str, Any], fields: RowFields | None, text: dict[str, Any] | None, *, where: str) -> None:
    """Add what other files say of the rows. Raises UsageError where the spec says it too, or lacks the rest."""
    if fields is not None:
        if "fields" in data:
            raise UsageError(f"{where} has fields, and --columns gives them too: leave one out")
        data["fields"] = msgspec.to_builtins(fields)
    if text:
        own = data.setdefault("fields", {})
        if not isinstance(own, dict) or not isinstance(own.get("text", {}), dict):
            raise UsageError(f"{where}: fields: expected text, with fields such as max_length")
        own["text"] = {**text, **own.get("text", {})}
        if "max_length" not in own["text"]:
            raise UsageError(f"{where}: the tokenizer has no limit: say fields: {{text: {{max_length: 128}}}}")


def _of_torchvision(name: str) -> DeploymentFacts:
    """The transform and categories that torchvision records for its weights; nothing is downloaded."""
    from torchvision import models

    try:
        weights = models.get_weight(name)
    except (ValueError, KeyError, AttributeError):
        raise UsageError(
            f"--spec {_TORCHVISION}{name}: torchvision has no such weights; an example is "
            f"{_TORCHVISION}ResNet18_Weights.IMAGENET1K_V1"
        ) from None
    try:
        prepared = from_transform.read(weights.transforms())
    except ValueError:
        raise UsageError(f"--spec {_TORCHVISION}{name}: not weights of an image classifier") from None
    return DeploymentFacts(
        task=image_classification.TASK.name,
        preprocess=prepared.steps,
        scale=prepared.scale,
        normalize=prepared.normalize,
        labels=tuple(weights.meta["categories"]),
    )


def _labels(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--spec: labels cannot be read from {path}: {error}") from None
