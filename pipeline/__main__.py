"""The user's verbs: `python -m pipeline VERB`, or `dsn-pose VERB` where the wheel is installed."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.refusal import Refusal
from pipeline.verbs import clusters, configuration, data, evaluation, inference, networks, registry
from pipeline.verbs.options import EXITS

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(configuration.config, name="config")
app.add_typer(clusters.cluster, name="cluster")
for verb in (
    configuration.doctor,
    data.check,
    data.browse,
    inference.predict,
    networks.export,
    evaluation.score,
    networks.describe,
    networks.import_weights,
    registry.lineage,
    registry.rollback,
):
    app.command(epilog=EXITS)(verb)


@app.callback()
def enter(
    project: Annotated[
        Path | None, typer.Option(help="The project's root, where params.yaml is: work as if called there.")
    ] = None,
) -> None:
    """The user's verbs: `python -m pipeline VERB`, or `dsn-pose VERB` where the wheel is installed."""
    if project is None:
        return
    if not project.is_dir():
        raise Refusal(f"--project: got {project}, which is no folder; wanted the project's root")
    os.chdir(project)


def main() -> None:
    """Run a verb; a refusal is one line and exit 1."""
    try:
        app()
    except Refusal as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
