"""`--tokenizer`: a `tokenizer.json`, or a folder of Hugging Face's with one, and what the files beside it say."""

import hashlib
import json
from pathlib import Path
from typing import Any

from lit_export.options import Options
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.manifest import TOKENIZER

_NO_LIMIT = 10**6
"""Transformers write 10^30 where a model has no limit of its own."""
_PADDED_LEFT = frozenset({"CodeLlama", "Cohere", "Cpm", "CpmAnt", "Gemma", "Llama", "Siglip2", "XLNet"})
"""Classes of transformers' tokenizers that pad on the left unless told otherwise, which no file of theirs says."""


def tokenizer_file(options: Options) -> Path | None:
    """The file that `--tokenizer` names; None without it. Raises NotFoundError."""
    if options.tokenizer is None:
        return None
    path = options.tokenizer / TOKENIZER if options.tokenizer.is_dir() else options.tokenizer
    if not path.is_file():
        raise NotFoundError(
            f"--tokenizer {options.tokenizer}: no {TOKENIZER} there. transformers writes it: "
            "AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER)"
        )
    return path


def text_facts(options: Options) -> dict[str, Any]:
    """What the tokenizer's files say: its digest, and of a folder the model's limit, sides and padding."""
    path = tokenizer_file(options)
    if path is None:
        return {}
    data = path.read_bytes()
    found: dict[str, Any] = {"tokenizer_sha256": hashlib.sha256(data).hexdigest()}
    try:
        own = json.loads(data)
    except ValueError as error:
        raise UsageError(f"--tokenizer {path} is not JSON ({error})") from None
    ids = {token["content"]: token["id"] for token in own.get("added_tokens") or ()}
    config = _config(path.with_name("tokenizer_config.json"))
    pad = config.get("pad_token")
    name = pad.get("content") if isinstance(pad, dict) else pad
    if name in ids:
        found["pad_id"] = ids[name]
    elif isinstance(own.get("padding"), dict):
        found["pad_id"] = own["padding"]["pad_id"]
    elif "[PAD]" in ids or "<pad>" in ids:
        found["pad_id"] = ids.get("[PAD]", ids.get("<pad>"))
    if isinstance(own.get("truncation"), dict):
        found["max_length"] = own["truncation"]["max_length"]
    if isinstance(limit := config.get("model_max_length"), int) and limit < _NO_LIMIT:
        found["max_length"] = limit
    return {**found, **_sides(own, config)}


def _sides(own: dict[str, Any], config: dict[str, Any]) -> dict[str, str]:
    """On which side texts are padded, and cut, as transformers finds out: the configuration, the file, the class."""
    found = {}
    for fact, key, part in (
        ("padding_side", "padding_side", "padding"),
        ("truncation", "truncation_side", "truncation"),
    ):
        side = config.get(key) or str((own.get(part) or {}).get("direction", "")).lower()
        if side in ("left", "right"):
            found[fact] = side
    kind = str(config.get("tokenizer_class")).removesuffix("Fast").removesuffix("Tokenizer")
    if kind in _PADDED_LEFT:
        found.setdefault("padding_side", "left")
    return found


def _config(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"--tokenizer: {path} cannot be read ({error})") from None
    return found if isinstance(found, dict) else {}
