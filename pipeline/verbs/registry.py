"""Verbs on registered versions."""

from pathlib import Path
from typing import Annotated

import typer


def lineage(
    version: Annotated[
        str | None, typer.Argument(help="A version's number, an alias, or models:/NAME/VERSION.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Instead: list all versions made or measured on this data hash.")
    ] = None,
    *,
    verify: Annotated[bool, typer.Option(help="Print only what differs here; exit with 1 if something does.")] = False,
) -> None:
    """Where a version comes from, with the commands that bring it back.

    Example: python -m pipeline lineage champion --verify
    """
    from pipeline.params import load
    from pipeline.refusal import Refusal
    from pipeline.release import origin
    from pipeline.tracking.config import TrackingConfig

    tracking = load(Path("params.yaml"), "tracking", into=TrackingConfig)
    if (version is None) == (data is None):
        raise Refusal("lineage: wanted either a version or --data HASH; `python -m pipeline lineage --help` shows both")
    if version is None:
        print("\n".join(origin.trained_on(tracking, str(data))) or "no version")
        return
    if not verify:
        print(origin.told(tracking, version))
        return
    different = origin.verified(tracking, version)
    print("\n".join(different) or "all is as it was registered")
    if different:
        raise typer.Exit(1)


def rollback() -> None:
    """Make the previous champion the champion again; a second call undoes the first.

    Example: python -m pipeline rollback
    """
    from pipeline.params import load
    from pipeline.release.promotion import rollback as exchange
    from pipeline.tracking.config import TrackingConfig

    print(exchange(load(Path("params.yaml"), "tracking", into=TrackingConfig)))
