"""Stage report: one self-contained page with the verdict, pictures and curves."""

from pathlib import Path

from pipeline import params
from pipeline.artifacts import resolved, write_json
from pipeline.entry import run_stage
from pipeline.report.config import ReportConfig
from pipeline.report.inputs import Sources, read_inputs
from pipeline.report.page import write_page


def main(sources: Sources, out: Path) -> None:
    """Write the page as params.yaml says."""
    config = params.load(Path("params.yaml"), "report", into=ReportConfig)
    write_page(out / "index.html", read_inputs(sources), config)
    write_json(out / "config.json", resolved(report=config))


if __name__ == "__main__":
    run_stage(main)
