"""Small networks of every preset: params.yaml and the preset decide the switches, this the sizes."""

import shutil
import tempfile
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from dsn.config import ModelConfig
from dsn.loss import LossConfig
from pipeline import params

ROOT = Path(__file__).parents[2]
PRESETS = sorted(path.stem for path in (ROOT / "presets" / "network").glob("*.yaml"))

CONVOLUTIONAL = {"name": "mobilenetv3_small_050", "stride": 8, "width": 24}
TRANSFORMER = {"name": "test_vit", "stride": 16, "width": 32}
TINY = {
    "input_size": [64, 48],
    "heatmap": {"sigma": 1.0},
    "backbone": CONVOLUTIONAL,
    "encoder": {"width": 16, "heads": 2},
    "visual": {"heads": 2},
    "head": {"width": 16},
}


def configs(preset: str = "v3_2", **changes: Any) -> tuple[ModelConfig, LossConfig]:
    """Sections `model` and `loss` of a network preset made small; `changes` are laid over the section `model`."""
    values = deepcopy(sections(preset))
    params.merge(values["model"], TINY)
    params.merge(values["model"], changes)
    model = params.parse(values["model"], ModelConfig, name="model")
    return model, params.parse(values["loss"], LossConfig, name="loss")


@cache
def sections(preset: str) -> dict[str, Any]:
    """The whole of params.yaml under a preset; not to be changed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(ROOT / "params.yaml", folder))
        params.use_preset(path, ROOT / "presets", preset)
        return params.read(path)


def model_config(preset: str = "v3_2", **changes: Any) -> ModelConfig:
    """The section `model` alone."""
    return configs(preset, **changes)[0]
