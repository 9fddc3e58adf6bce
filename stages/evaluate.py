"""Stage evaluate: score the registered model's readouts, by the official protocol where it knows the skeleton."""

from pathlib import Path

from dsn.checkpoint import load
from pipeline import params
from pipeline.artifacts import read_json
from pipeline.entry import run_stage
from pipeline.evaluation.evaluate import EvaluateConfig, evaluate
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import fetched

PARAMS = Path("params.yaml")


def main(registered: Path, index: Path, train: Path, val: Path, out: Path) -> None:
    """Load the version through the registry and score it on val, with ground-truth bboxes."""
    config = params.load(PARAMS, "evaluate", into=EvaluateConfig)
    tracking = params.load(PARAMS, "tracking", into=TrackingConfig)
    with fetched(tracking, version=read_json(registered)["version"]) as model:
        evaluate(config, load(model), index=index, train=train, val=val, out=out)


if __name__ == "__main__":
    run_stage(main)
