"""Stage ablate_table: put the ablation's cells into one table."""

from pathlib import Path

from pipeline.ablation.cell import CellData
from pipeline.ablation.table import close_ablation, write_table
from pipeline.entry import run_stage


def main(data: CellData, cells: Path, out: Path) -> None:
    """Write the table as CSV and Markdown, and keep it with the ablation's run."""
    write_table(cells, data.scale, out=out)
    close_ablation(data, out=out)


if __name__ == "__main__":
    run_stage(main)
