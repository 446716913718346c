"""What a file or folder is that was given as a checkpoint but is not one, and the remedy. It only looks at names."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_export.front.diagnosis import names
from lit_export.front.plain_values import EnumMember, Foreign, TensorOutline
from lit_infer.engines import Engine, engine_for_content

SUFFIXES = (".ckpt", ".pt", ".pth")
"""Of files that may be checkpoints."""

_HEADS: Sequence[tuple[bytes, str]] = (
    (b"\x1f\x8b", "a gzip file: unpack it first (gunzip, or tar xzf)"),
    (b"BZh", "a bzip2 file: unpack it first"),
    (b"\xfd7zXZ", "an xz file: unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive: unpack it first"),
    (b"\x89HDF", "an HDF5 file, as Keras writes them, not a PyTorch checkpoint"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF file"),
    (b"GGUF", "a GGUF file, of quantized weights without a LightningModule"),
    (b"\x7fELF", "a program or a library"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself. Run: git lfs pull"),
)


_TAR = 257
"""Where a tar archive says that it is one."""


def other_kind(head: bytes, where: str) -> str | None:
    """What a file is whose first bytes show that it is not a checkpoint; None if it may be one."""
    text = head.lstrip().lower()
    found = next((what for start, what in _HEADS if head.startswith(start)), None)
    if found is not None:
        pass
    elif (engine := engine_for_content(head)) is not None:
        found = _export(engine, "FILE")
    elif head[_TAR : _TAR + 5] == b"ustar":
        found = "a tar archive: unpack it first (tar xf)"
    elif not head:
        found = "empty. Copy or download it again"
    elif text.startswith((b"<!doctype", b"<html", b"<?xml")):
        found = "a web page. The address needs a login, or is that of a page about the file"
    elif head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 27:
        found = (
            "a safetensors file: weights without a LightningModule's hyperparameters. In Python: "
            f'torch.save(safetensors.torch.load_file("{where}"), "weights.ckpt"), then --checkpoint weights.ckpt '
            "--class pkg.mod:Cls"
        )
    elif head.isascii() and head.replace(b"\n", b" ").decode().isprintable():
        found = f"a text file, and begins with: {' '.join(head.decode().split())[:60]}"
    return f"{where} is {found}" if found else None


def _export(engine: Engine, where: str) -> str:
    return f"{engine.article} {engine.title}, which is an export already. See: lit-export inspect {where}"


def other_archive(entries: Sequence[str], where: str) -> str | None:
    """What an archive is that torch.save did not write; None if it may have written it."""
    below = {name.partition("/")[2] for name in entries}
    if (engine := engine_for_content(b"", entries)) is not None:
        return f"{where} is {_export(engine, where)}"
    if "data.pkl" in below:
        return None
    if any(name.endswith(SUFFIXES) for name in entries):
        return f"{where} is a zip archive with a checkpoint in it ({names(entries)}): unpack it first"
    return f"{where} is a zip archive ({names(entries) or 'empty'}) and not a checkpoint"


def damaged(where: str, size: int, error: Exception) -> str:
    """For bytes that cannot be read."""
    reason = (str(error).splitlines() or [""])[0].strip()[:120] or type(error).__name__
    what = f"{where} ({size:,} bytes) is truncated, damaged or not a checkpoint at all ({reason})"
    return f"{what}. Copy or download it again"


def raw_pickle(where: str, first: Any) -> str:
    """For a pickle that does not begin as those of torch.save."""
    if isinstance(first, dict):
        return f"{where} was written by pickle, not by torch.save. Load it where you made it, and torch.save it again"
    return f"{where} is a pickle, not a checkpoint"


def no_table(where: str, contents: Any, key: str = "") -> str:
    """For a file, or a part of it, that should be a table and is something else."""
    what = f"{where}: its {key}" if key else where
    if not isinstance(contents, Foreign | EnumMember):
        kind = "dict of other keys" if isinstance(contents, dict) else type(contents).__name__
        found = "a lone tensor" if isinstance(contents, TensorOutline) else f"a {kind}"
        return f"{what} is no {'table of named tensors' if key else 'checkpoint'}, but {found}"
    if isinstance(contents, EnumMember):
        return f"{what} is an object ({contents.path}), which could run code, and is not made"
    if contents.what == "module":
        return _whole_module(what, where, contents.path, f"[{key!r}]" if key else "")
    return f"{what} is an object ({contents.path}), which could run code, and is not made"


def _whole_module(what: str, where: str, path: str, key: str) -> str:
    code = f"import torch; torch.save(torch.load({where!r}, weights_only=False){key}.state_dict(), 'weights.pt')"
    return (
        f"{what} is a whole module ({path}) as torch.save(module) writes it: an object, which could run code. If you "
        f"trust the file, save its weights where that class is installed: python -c {shlex.quote(code)}\n"
        f"and then: --checkpoint weights.pt --class {path}"
    )


def printed(key: object) -> str:
    """A key as it may stand in a message."""
    text = str(key)[:80]
    return text if text.isprintable() else repr(text)


def no_weights(where: str, contents: Mapping[Any, Any], found: Sequence[str]) -> str:
    """For a dict without a state_dict. `found`: the keys of tables of tensors in it."""
    for key, value in contents.items():
        if isinstance(value, Foreign) and value.what == "module":
            return no_table(where, value, str(key))
    if not found:
        held = names(map(printed, contents)) or "nothing"
        return f"{where} is not a checkpoint with weights: it holds no state_dict, only {held}"
    code = f"import torch; torch.save(torch.load({where!r}, weights_only=False)[{found[0]!r}], 'weights.pt')"
    listed = names(map(printed, found))
    return (
        f"{where} holds no state_dict, but several tables of weights: {listed}. If you trust the file, save the one "
        f"you want: python -c {shlex.quote(code)}\nand then: --checkpoint weights.pt --class pkg.mod:Cls"
    )


def objects_as_weights(where: str, found: Sequence[tuple[str, Foreign]]) -> str:
    """For weights that are objects of some package's own: which, and the way to plain ones."""
    listed = names(f"{printed(name)} ({value.path})" for name, value in found)
    refused = f"{where}: its weights are objects, which could run code, and not plain tensors: {listed}."
    packages = {value.path.partition(".")[0] for _, value in found}
    if any(value.path.startswith("torch.distributed.") for _, value in found):
        return f"{refused}\nIt is one shard of a distributed model: save the whole, with state_dict_type='full'"
    if packages & {"torchao", "bitsandbytes", "quanto", "optimum"}:
        return (
            f"{refused}\nThey are quantized: dequantize the model and save its state_dict. --precision int8 quantizes"
        )
    return f"{refused}\nSave the module's state_dict with plain tensors: {{name: torch.Tensor(value)}}"


_DEEPSPEED = ("_model_states.pt", "_optim_states.pt")


def shard(path: Path) -> str | None:
    """For a file that is a part of a model, by its name: which kind, and the command that merges them."""
    if path.suffix == ".distcp":
        return f"{path} is one shard of a model. {shards(path.parent) or ''}".strip()
    if _is_deepspeed(path.name):
        return f"{path} is a part of a DeepSpeed checkpoint. {_deepspeed(path.parent.parent)}"
    return None


def _is_deepspeed(name: str) -> bool:
    return name.endswith(_DEEPSPEED)


def shards(path: Path) -> str | None:
    """For a folder that is one model in parts: which kind, and the command that merges it."""
    inside = sorted(entry.name for entry in path.iterdir())
    if any(map(_is_deepspeed, inside)):
        return f"{path} is a part of a DeepSpeed checkpoint. {_deepspeed(path.parent)}"
    if any(path.glob("*/*_model_states.pt")) or "zero_to_fp32.py" in inside:
        return f"{path} is a DeepSpeed checkpoint in parts. {_deepspeed(path)}"
    if ".metadata" in inside or any(name.endswith(".distcp") for name in inside):
        return _distributed(path, by_lightning="meta.pt" in inside)
    return None


def _distributed(path: Path, *, by_lightning: bool) -> str:
    merged = f"{path}.consolidated"
    module = (
        f"lightning.pytorch.utilities.consolidate_checkpoint {shlex.quote(str(path))}"
        if by_lightning
        else f"torch.distributed.checkpoint.format_utils dcp_to_torch {shlex.quote(str(path))} {shlex.quote(merged)}"
    )
    kind = "an FSDP checkpoint" if by_lightning else "a torch.distributed checkpoint"
    return f"{path} is {kind} in shards. Merge them: python -m {module}\nand then: --checkpoint {shlex.quote(merged)}"


def _deepspeed(path: Path) -> str:
    merged = f"{path}.merged.ckpt"
    code = (
        "from lightning.pytorch.utilities.deepspeed import convert_zero_checkpoint_to_fp32_state_dict as merge; "
        f"merge({str(path)!r}, {merged!r})"
    )
    return f"Merge its parts: python -c {shlex.quote(code)}\nand then: --checkpoint {shlex.quote(merged)}"


def folder(path: Path) -> str:
    """For a folder given as a checkpoint."""
    if (found := shards(path)) is not None:
        return found
    inside = sorted(path.glob("*.ckpt"), key=lambda file: file.name)
    if (path / "manifest.json").is_file():
        return f"{path} is a bundle, which is an export already. See: lit-export inspect {path}"
    return f"{path} is a folder. It holds {names(file.name for file in inside) or 'no .ckpt file'}: name one file"
