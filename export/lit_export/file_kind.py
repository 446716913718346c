"""What a file or folder is that was given as a checkpoint but is not one, and the remedy. It only looks at names."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_export.diagnosis import names
from lit_infer.engines import Engine, engine_for_content

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


def other_kind(head: bytes, where: str) -> str | None:
    """What a file is whose first bytes show that it is not a checkpoint; None if it may be one."""
    text = head.lstrip().lower()
    found = next((what for start, what in _HEADS if head.startswith(start)), None)
    if found is not None:
        pass
    elif (engine := engine_for_content(head)) is not None:
        found = _export(engine, "FILE")
    elif not head:
        found = "empty"
    elif text.startswith((b"<!doctype", b"<html", b"<?xml")):
        found = "a web page. The address needs a login, or is that of a page about the file"
    elif head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 27:
        found = (
            "a safetensors file: weights without a LightningModule's hyperparameters. In Python: "
            'torch.save(safetensors.torch.load_file(FILE), "weights.ckpt"), then --checkpoint weights.ckpt --class ...'
        )
    elif head.isascii() and head.replace(b"\n", b" ").decode().isprintable():
        found = "a text file"
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
    if any(name.endswith((".ckpt", ".pt", ".pth")) for name in entries):
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
