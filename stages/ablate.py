"""Stage ablate: train one network of the ablation and put it to the test."""

from pathlib import Path

from pipeline.ablation.cell import CellData, stress_cell, train_cell
from pipeline.entry import run_stage


def main(data: CellData, index: Path, root: Path, control: Path, preset: str, seed: int, out: Path) -> None:
    """Train a preset with a seed, then stress it against the control of that seed."""
    train_cell(data, preset=preset, seed=seed, out=out)
    stress_cell(data, control=control, index=index, root=root, out=out)


if __name__ == "__main__":
    run_stage(main)
