"""A folder in which the stages after shard can run: the code, small params, shards of drawn data, a random network."""

import shutil
from pathlib import Path

import torch

from dsn import checkpoint
from dsn.config import ModelConfig
from dsn.network import build_single_frame
from dsn.skeleton import POSETRACK
from pipeline import params
from pipeline.posetrack.index import PrepareConfig, prepare, read_index
from pipeline.shards.border import Views
from pipeline.shards.pack import pack_splits
from pipeline.shards.recipe import Recipe, ShardConfig
from tests.world.clone import ROOT


def make_workplace(folder: Path, drawn: Path) -> Path:
    """Fill the new `folder` from the dataset `drawn`, without Ray and without training; gives the folder."""
    folder.mkdir(parents=True)
    for package in ("dsn", "pipeline", "stages"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "params.yaml"
    shutil.copyfile(ROOT / "params.yaml", file)
    params.use_preset(file, ROOT / "tests" / "world", "tiny")
    prepare(drawn, folder / "data/index", params.load(file, "prepare", into=PrepareConfig), boxes=None)
    pack_splits(read_index(folder / "data/index"), drawn, folder / "data/shards", _recipe(file), run=map)
    model = params.load(file, "model", into=ModelConfig)
    torch.manual_seed(0)
    network = build_single_frame(model, POSETRACK)
    checkpoint.save(folder / "pretrain/model", network, config=model, skeleton=POSETRACK)
    return folder


def _recipe(file: Path) -> Recipe:
    model = params.load(file, "model", into=ModelConfig)
    views = {
        name: params.load(file, f"reader.augment.{name}", into=float)
        for name in ("rotation", "rotation_probability", "scale", "shift")
    }
    return Recipe(
        shard=params.load(file, "shard", into=ShardConfig),
        input_size=model.input_size,
        offsets=model.clip.offsets,
        views=Views(**views),
    )
