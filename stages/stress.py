"""Stage stress: degrade the keyframe and compare the streams with honest controls."""

from pathlib import Path

from dsn.checkpoint import load
from pipeline import params
from pipeline.entry import run_stage
from pipeline.evaluation.stress import Data, stress
from pipeline.evaluation.stress_config import StressConfig
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.models import load_model

PARAMS = Path("params.yaml")


def main(registered: Path, control: Path, index: Path, root: Path, val: Path, out: Path) -> None:
    """Load the version through the registry and put it to the test, with bboxes from neighbouring frames."""
    config = params.load(PARAMS, "stress", into=StressConfig)
    tracking = params.load(PARAMS, "tracking", into=TrackingConfig)
    model = load_model(registered, tracking)
    stress(config, model, load(control), data=Data(index=index, root=root, val=val), out=out)


if __name__ == "__main__":
    run_stage(main)
