"""What Hydra's own configuration describes, built by `hydra.utils.instantiate`, as training did."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lit_export.front.find_class import find_object
from lit_export.front.signature import Signature
from lit_export.user_code import user_code
from lit_infer.errors import UsageError, require

_TARGET = "_target_"


def is_hydra(path: Path, contents: Any) -> bool:
    """Whether a configuration is Hydra's: by its folder, or since it names targets or interpolates."""
    return path.absolute().parent.name == ".hydra" or _is_of_hydra(contents)


def _is_of_hydra(value: Any) -> bool:
    if isinstance(value, dict):
        return _TARGET in value or any(map(_is_of_hydra, value.values()))
    if isinstance(value, list):
        return any(map(_is_of_hydra, value))
    return isinstance(value, str) and "${" in value


def built(path: Path, key: str, *, cls: type | None, hparams: Mapping[str, Any]) -> Any:
    """The object that the section at `key` describes: a `_target_`, or arguments of `cls`."""
    require("hydra", extra="hydra", purpose=f"--config {path}")
    where = f"--config {path}: {key}"
    section = _section(path, key, hparams)
    if not _is_table(section):
        raise UsageError(f"{where} is {section!r}, and describes no object")
    named = section.get(_TARGET)
    if named is None and cls is None:
        raise UsageError(f"{where} has no _target_. Name the class: --class pkg.mod:Cls, or another --config-key KEY")
    if cls is None:
        find_object(str(named), option=where)  # for the message, where it is not there
    return _instantiated(section, cls, where)


def _instantiated(section: Any, cls: type | None, where: str) -> Any:
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate
    from omegaconf.errors import OmegaConfBaseException

    with user_code(where):
        try:
            if _TARGET not in section and cls is not None:
                return _with_arguments(cls, section)
            if cls is not None:
                section[_TARGET] = f"{cls.__module__}.{cls.__qualname__}"
            found = instantiate(section)
            return found() if isinstance(found, partial) else found
        except OmegaConfBaseException as error:
            raise _unresolved(error, where) from None
        except InstantiationException as error:
            if isinstance(error.__cause__, OmegaConfBaseException):
                raise _unresolved(error.__cause__, where) from None
            raise (error.__cause__ or error) from None


def _with_arguments(cls: type, section: Any) -> Any:
    """The class with the section's values: as one configuration, where it takes one, else by name."""
    from hydra.utils import instantiate

    signature = Signature.of(cls)
    if (whole := signature.whole(section)) is not None:
        return cls(**{whole: section})
    given = instantiate(section, _convert_="all")
    return cls(**{key: value for key, value in given.items() if key in signature.known or signature.anything})


def _section(path: Path, key: str, hparams: Mapping[str, Any]) -> Any:
    """The section in its whole configuration, whose other keys its interpolations may need."""
    from hydra.core.utils import setup_globals
    from omegaconf import OmegaConf

    setup_globals()  # the resolvers `now`, `hydra` and `python_version`
    run = path.parent / "hydra.yaml"
    if run.is_file():
        about = OmegaConf.load(run)
        OmegaConf.register_new_resolver("hydra", lambda name: OmegaConf.select(about, f"hydra.{name}"), replace=True)
    whole = OmegaConf.load(path)
    OmegaConf.set_struct(whole, False)
    prefix = "" if key == "." else f"{key}."
    for name, value in hparams.items():
        OmegaConf.update(whole, f"{prefix}{name}", value, force_add=True)
    return whole if key == "." else OmegaConf.select(whole, key)


def _is_table(section: Any) -> bool:
    from omegaconf import DictConfig

    return isinstance(section, DictConfig)


def _unresolved(error: Exception, where: str) -> UsageError:
    """For a value of the configuration that cannot be had here."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    at = next((line.partition(":")[2].strip() for line in lines if line.startswith("full_key:")), "")
    said = f"{where}: {at + ' ' if at else ''}cannot be resolved: {lines[0] if lines else type(error).__name__}"
    if "Environment variable" in said:
        name = said.partition("Environment variable '")[2].partition("'")[0]
        return UsageError(f"{said}.\nSet it as in training: {name}=VALUE lit-export ...")
    if "interpolation type" in said:
        return UsageError(
            f"{said}. The script that trained registers that resolver: give the value, --hparam NAME=VALUE, "
            "or build the module in a function of yours: --factory pkg.mod:make"
        )
    return UsageError(f"{said}. Give the value: --hparam NAME=VALUE")
