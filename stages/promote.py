"""Stage promote: move the alias `champion` to the registered version, if the gate allows it."""

import logging
from pathlib import Path

from pipeline import params
from pipeline.artifacts import read_json, resolved, write_json
from pipeline.entry import run_stage
from pipeline.release.gate import GateConfig
from pipeline.release.promotion import promote
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import Version

LOG = logging.getLogger(__name__)
PARAMS = Path("params.yaml")


def main(registered: Path, evaluation: Path, stress: Path, out: Path) -> None:
    """Compare the version with the champion, act on it, and say why; a refusal to promote is no failure."""
    config = params.load(PARAMS, "promote", into=GateConfig)
    tracking = params.load(PARAMS, "tracking", into=TrackingConfig)
    version = params.parse(read_json(registered), Version, name=str(registered))
    result = promote(tracking, config, version=version, evaluation=read_json(evaluation), stress=read_json(stress))
    LOG.info("%s: %s", "promoted" if result["promoted"] else "not promoted", result["reason"])
    write_json(out, result | {"config": resolved(promote=config)})


if __name__ == "__main__":
    run_stage(main)
