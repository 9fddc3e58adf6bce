"""Where training starts from instead of random weights."""

import hashlib
import json
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from dsn.config import ModelConfig, from_dict
from pipeline.refusal import Refusal

SHARED = (
    "input_size", "heatmap", "backbone.name", "backbone.stride", "backbone.width", "head.width", "head.norm",
)  # fmt: skip
"""Keys of the `model` section that decide a single-frame network; the others are of the networks that start from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConfig:
    """A folder that `import-weights` wrote."""

    folder: Path
    """Relative to the project's root, or absolute."""
    sha256: str
    """Digest of its network.safetensors: other weights are another param, so stages run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsConfig:
    """The `weights` section."""

    start: StartConfig | None
    """What stage pretrain starts from; null starts from random weights."""


def start_folder(config: WeightsConfig, *, model: ModelConfig) -> Path | None:
    """The folder of the network that stage pretrain starts from, checked; None where it starts from random weights.

    Raises:
        Refusal: the folder is missing, or holds other weights or another network than params.yaml says.
    """
    if config.start is None:
        return None
    folder, path = config.start.folder, config.start.folder / "network.safetensors"
    if not path.is_file():
        raise Refusal(f"weights.start.folder: {path} is no file; write it with `python -m pipeline import-weights`")
    found = digest(folder)
    if found != config.start.sha256:
        raise Refusal(f"weights.start.sha256: got {config.start.sha256}, wanted {found}, as {path} is")
    described: Any = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    kept = from_dict(described["model"], ModelConfig)
    for key in SHARED:
        got, wanted = attrgetter(key)(kept), attrgetter(key)(model)
        if got != wanted:
            raise Refusal(f"weights.start: {folder} was made for model.{key}: {got}, params.yaml has {wanted}")
    return folder


def digest(folder: Path) -> str:
    """SHA-256 of a network's weights."""
    return hashlib.sha256((folder / "network.safetensors").read_bytes()).hexdigest()
