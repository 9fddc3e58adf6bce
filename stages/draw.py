"""Stage draw: draw the default dataset, a tree in PoseTrack18's layout."""

from pathlib import Path

from pipeline import params
from pipeline.artifacts import resolved, write_json
from pipeline.drawn.config import DrawConfig
from pipeline.drawn.dataset import draw_dataset
from pipeline.entry import run_stage


def main(out: Path) -> None:
    """Draw the videos that params.yaml describes."""
    config = params.load(Path("params.yaml"), "draw", into=DrawConfig)
    draw_dataset(out, config)
    write_json(out / "config.json", resolved(draw=config))


if __name__ == "__main__":
    run_stage(main)
