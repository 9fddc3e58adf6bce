"""Stage report: one self-contained page with the verdict, pictures and curves."""

from pathlib import Path

from pipeline import params
from pipeline.entry import run_stage
from pipeline.report.config import ReportConfig
from pipeline.report.inputs import Sources, read_inputs
from pipeline.report.page import write_page


def main(  # noqa: PLR0913  (it reads what every stage left)
    *,
    index: Path,
    pretrain: Path,
    tune: Path,
    control: Path,
    train: Path,
    evaluation: Path,
    stress: Path,
    registered: Path,
    promotion: Path,
    val: Path,
    out: Path,
) -> None:
    """Write the page as params.yaml says."""
    config = params.load(Path("params.yaml"), "report", into=ReportConfig)
    sources = Sources(
        index=index,
        pretrain=pretrain,
        tune=tune,
        control=control,
        train=train,
        evaluation=evaluation,
        stress=stress,
        registered=registered,
        promotion=promotion,
        val=val,
    )
    write_page(out / "index.html", read_inputs(sources), config)


if __name__ == "__main__":
    run_stage(main)
