"""Seconds from a registered version to its first prediction, against bare weights; imports are done, the store is open.

`python -m benchmarks.loading [BACKBONE]`, by default ViT-B at 256 x 192 with random weights. Rival:
`dsn.checkpoint.load` of the same files and one clip through the network, without MLflow and without looking at digests.
Ours: `mlflow.pyfunc.load_model` of `models:/NAME/1` and one person in whole frames. Both read files that the system has
in memory.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.networks import v3_2
from dsn import checkpoint
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.evaluation.predict import read
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registration import register
from pipeline.tracking.runs import start_run

ROUNDS = 5


def main(backbone: str = "vit_base_patch16_224") -> None:
    """Measure, and print one JSON line."""
    warnings.simplefilter("ignore")
    config = v3_2(backbone, checkpointing=False)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model")
        checkpoint.save(model, build(config, POSETRACK), config=config, skeleton=POSETRACK)
        shutil.copyfile(model / "network.safetensors", model / "raw.safetensors")
        tracking = TrackingConfig(uri=f"sqlite:///{folder}/mlflow.db", experiment="loading", model="loading")
        os.environ["MLFLOW_TRACKING_URI"] = str(tracking.uri)
        run = start_run(tracking, "train", tags={})
        register(tracking, model, run_id=run.run_id, tags={}, card="", alias="candidate")
        clip = torch.zeros((1, 5, 3, *config.input_size), dtype=torch.uint8)
        seconds = by_turns(bare=lambda: bare(model, clip), ours=registered)
    print(json.dumps({"backbone": backbone, **seconds, "ratio": round(seconds["ours_s"] / seconds["bare_s"], 3)}))


def bare(model: Path, clip: torch.Tensor) -> None:
    """Weights, and a clip through the network."""
    loaded = checkpoint.load(model)
    read(loaded.network, clip, model=loaded.config)


def registered() -> None:
    """A version, and a person in whole frames."""
    from mlflow import pyfunc  # noqa: PLC0415  (reads the environment)

    frames = np.zeros((5, 360, 640, 3), dtype=np.uint8)
    boxes = np.array([[100, 50, 220, 330]], dtype=np.float32)
    pyfunc.load_model("models:/loading/1").predict({"frames": frames, "boxes": boxes})


def by_turns(**ways: Callable[[], None]) -> dict[str, float]:
    """The median seconds of each; a first round, which imports and connects, does not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 + ROUNDS):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - began)
    return {f"{name}_s": round(statistics.median(values[1:]), 3) for name, values in taken.items()}


if __name__ == "__main__":
    main(*sys.argv[1:2])
