"""What LightningCLI's saved configuration describes, built by jsonargparse, as LightningCLI itself does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lit_export.front.find_class import find_object
from lit_export.front.hparams import overlaid
from lit_export.front.signature import Signature
from lit_export.user_code import user_code
from lit_infer import progress
from lit_infer.errors import UsageError, require


def built(
    path: Path,
    key: str,
    section: Any,
    *,
    cls: type | None,
    hparams: Mapping[str, Any],
    recorded: Mapping[str, Any],
) -> Any:
    """The object that a section describes: `class_path` and `init_args`, or plain arguments of `cls`."""
    where = f"--config {path}: {key}"
    if isinstance(section, str):
        section = {"class_path": section}
    if not isinstance(section, dict):
        raise UsageError(f"{where} is {section!r}, and describes no object")
    named = section.get("class_path")
    if cls is None:
        if not isinstance(named, str):
            raise UsageError(
                f"{where} holds only arguments, since the class was fixed in the script that trained. "
                "Name that class: --class pkg.mod:Cls"
            )
        cls = _class(named, where)
    given = {**section.get("init_args", {}), **section.get("dict_kwargs", {})} if named is not None else section
    given = overlaid(_with_links(given, cls, recorded), hparams)
    return _instantiated(cls, given, where)


def _class(named: str, where: str) -> Any:
    if named.startswith("__main__."):
        raise UsageError(
            f"{where} names {named}, a class in the script that was run. Name it by its module: "
            f"--class SCRIPT:{named.removeprefix('__main__.')}"
        )
    return find_object(named, option=where)


def _with_links(given: dict[str, Any], cls: Any, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """With what the file leaves out since it was linked from elsewhere, as `data.classes` to `model.classes`."""
    known = Signature.of(cls).known
    linked = {key: value for key, value in recorded.items() if key in known and key not in given}
    if linked:
        progress.note(f"not in --config and taken from the checkpoint: {', '.join(linked)}")
    return {**given, **linked}


def _instantiated(cls: Any, given: dict[str, Any], where: str) -> Any:
    jsonargparse = require("jsonargparse", extra="export", purpose="--config")
    parser, probe = (jsonargparse.ArgumentParser(exit_on_error=False) for _ in range(2))
    with user_code(where):
        if not isinstance(cls, type):
            parser.add_function_arguments(cls, "made", fail_untyped=False, sub_configs=True)
            return cls(**vars(parser.instantiate_classes(parser.parse_object({"made": given})).made))
        names = {name.removeprefix("made.") for name in probe.add_class_arguments(cls, "made", fail_untyped=False)}
        if set(given) <= names:
            parser.add_class_arguments(cls, "made", fail_untyped=False, sub_configs=True)
            return parser.instantiate_classes(parser.parse_object({"made": given})).made
        parser.add_subclass_arguments(cls, "made", fail_untyped=False)
        described = {
            "class_path": f"{cls.__module__}.{cls.__qualname__}",
            "init_args": {key: value for key, value in given.items() if key in names},
            "dict_kwargs": {key: value for key, value in given.items() if key not in names},  # for its **kwargs
        }
        return parser.instantiate_classes(parser.parse_object({"made": described})).made
