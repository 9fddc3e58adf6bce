"""Which type each section of params.yaml has; what checks the whole file before anything runs."""

from pathlib import Path
from typing import Any

from dsn.config import ModelConfig
from dsn.loss import LossConfig
from dsn.sight import refuse_unread, sight
from pipeline import params
from pipeline.cluster import ClusterConfig
from pipeline.drawn.config import DrawConfig
from pipeline.evaluation.evaluate import EvaluateConfig
from pipeline.evaluation.stress_config import StressConfig
from pipeline.export.config import ExportConfig
from pipeline.posetrack.index import DataConfig, PrepareConfig
from pipeline.refusal import Refusal
from pipeline.release.card import CardConfig
from pipeline.release.gate import GateConfig
from pipeline.report.config import ReportConfig
from pipeline.search.config import TuneConfig, first_values
from pipeline.shards.fitness import refuse_few
from pipeline.shards.reader import ReaderConfig
from pipeline.shards.recipe import ShardConfig
from pipeline.tracking.config import TrackingConfig
from pipeline.training.config import TrainConfig
from pipeline.training.start import WeightsConfig

SECTIONS: dict[str, type[Any]] = {
    "card": CardConfig,
    "cluster": ClusterConfig,
    "data": DataConfig,
    "draw": DrawConfig,
    "evaluate": EvaluateConfig,
    "export": ExportConfig,
    "loss": LossConfig,
    "model": ModelConfig,
    "prepare": PrepareConfig,
    "pretrain": TrainConfig,
    "promote": GateConfig,
    "reader": ReaderConfig,
    "report": ReportConfig,
    "shard": ShardConfig,
    "stress": StressConfig,
    "tracking": TrackingConfig,
    "train": TrainConfig,
    "tune": TuneConfig,
    "weights": WeightsConfig,
}


def check_params(path: Path) -> None:
    """Refuse a params file whose sections or keys are unknown, missing, of the wrong type, impossible or at odds."""
    for name in params.read(path):
        if name not in SECTIONS:
            raise Refusal(f"{path}: section `{name}` is not known{params.closest(name, list(SECTIONS))}")
    searched = first_values(params.load(path, "tune", into=TuneConfig))
    for name, into in SECTIONS.items():
        chosen = searched.get(name)
        how = {"chosen": chosen} if name == "train" else {"instead": chosen}
        params.load(path, name, into=into, **how)
    _check_readouts(path, loss=params.load(path, "loss", into=LossConfig, instead=searched.get("loss")))
    shard, cluster = params.load(path, "shard", into=ShardConfig), params.load(path, "cluster", into=ClusterConfig)
    readers = params.load(path, "reader", into=ReaderConfig).workers
    refuse_few(shard.min_shards, what=f"{path}: shard.min_shards", ranks=cluster.workers, workers=readers)


def _check_readouts(path: Path, *, loss: LossConfig) -> None:
    """Refuse to train or to score what the network does not have."""
    model = params.load(path, "model", into=ModelConfig)
    try:
        refuse_unread(loss, model)
    except ValueError as error:
        raise Refusal(f"{path}: {error}") from None
    readouts = params.load(path, "evaluate", into=EvaluateConfig).readouts
    missing = [name for name in readouts if name not in sight(model)]
    if missing:
        raise Refusal(f"{path}: evaluate.readouts: got {missing}, wanted some of {sorted(sight(model))}: the network's")
