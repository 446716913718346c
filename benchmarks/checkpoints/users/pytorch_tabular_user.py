"""pytorch-tabular's models are made from a merged configuration, which is what the checkpoint holds."""

import json
from typing import Any

from omegaconf import OmegaConf
from pytorch_tabular.models import BaseModel
from pytorch_tabular.utils import getattr_nested


def make(**hparams: Any) -> BaseModel:
    config = OmegaConf.create(json.loads(json.dumps(hparams)))  # OmegaConf takes dicts of no other class
    return getattr_nested(config._module_src, config._model_name)(config=config, inferred_config=config)
