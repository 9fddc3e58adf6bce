"""Stage draw: draw the default dataset, a tree in PoseTrack18's layout."""

from pathlib import Path

from pipeline import params
from pipeline.drawn.config import DrawConfig
from pipeline.drawn.dataset import draw_dataset
from pipeline.entry import run_stage


def main(out: Path) -> None:
    """Draw the videos that params.yaml describes."""
    draw_dataset(out, params.load(Path("params.yaml"), "draw", into=DrawConfig))


if __name__ == "__main__":
    run_stage(main)
