"""Stage ablate_control: train the single-frame network on, as long as the ablation's networks of its seed."""

from pathlib import Path

from pipeline.ablation.cell import CONTROL, CellData, train_cell
from pipeline.entry import run_stage


def main(data: CellData, seed: int, out: Path) -> None:
    """Train the control of one seed."""
    train_cell(data, preset=CONTROL, seed=seed, out=out)


if __name__ == "__main__":
    run_stage(main)
