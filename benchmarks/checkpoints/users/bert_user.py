"""The configuration of a transformer is an object in the checkpoint; this is the one it was trained with."""

from typing import Any

from glue_module import GLUETransformer
from transformers import BertConfig


def make(**hparams: Any) -> GLUETransformer:
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return GLUETransformer(BertConfig(vocab_size=300, max_position_embeddings=32, **sizes), **hparams)
