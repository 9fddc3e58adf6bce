"""Stage pretrain: train the single-frame network that clip training starts from."""

from pathlib import Path

from dsn.config import ModelConfig
from dsn.loss import LossConfig
from pipeline import params
from pipeline.cluster import ClusterConfig
from pipeline.entry import run_stage
from pipeline.shards.reader import ReaderConfig
from pipeline.tracking.config import TrackingConfig
from pipeline.training.config import TrainConfig
from pipeline.training.job import Job
from pipeline.training.tracked import train_tracked

PARAMS = Path("params.yaml")


def main(shards: Path, out: Path) -> None:
    """Train on keyframes alone, from random weights."""
    job = Job(
        kind="single_frame",
        model=params.load(PARAMS, "model", into=ModelConfig),
        loss=params.load(PARAMS, "loss", into=LossConfig),
        train=params.load(PARAMS, "pretrain", into=TrainConfig),
        reader=params.load(PARAMS, "reader", into=ReaderConfig),
        cluster=params.load(PARAMS, "cluster", into=ClusterConfig),
        shards=str(shards.resolve()),
        start=None,
    )
    train_tracked(job, out, params.load(PARAMS, "tracking", into=TrackingConfig), name="pretrain")


if __name__ == "__main__":
    run_stage(main)
