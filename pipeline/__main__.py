"""The user's verbs: `python -m pipeline VERB`, or `dsn-pose VERB` where the wheel is installed."""

import sys

import typer

from pipeline.refusal import Refusal
from pipeline.verbs import clusters, configuration, data, evaluation, inference, networks, registry

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(configuration.config, name="config")
app.add_typer(clusters.cluster, name="cluster")
for verb in (
    configuration.doctor,
    data.check,
    data.browse,
    inference.predict,
    evaluation.score,
    networks.describe,
    networks.import_weights,
    registry.lineage,
    registry.rollback,
):
    app.command()(verb)


def main() -> None:
    """Run a verb; a refusal is one line and exit 1."""
    try:
        app()
    except Refusal as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
