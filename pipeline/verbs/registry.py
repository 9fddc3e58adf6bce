"""Verbs on registered versions."""

from json import dumps as to_json
from typing import Annotated

import typer

from pipeline.verbs.options import PARAMS_FILE, Json, Params, Settings


def lineage(
    version: Annotated[
        str | None, typer.Argument(help="A version's number, an alias, or models:/NAME/VERSION.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Instead: list all versions made or measured on this data hash.")
    ] = None,
    params: Params = PARAMS_FILE,
    settings: Settings = None,
    *,
    verify: Annotated[bool, typer.Option(help="Print only what differs here; exit with 1 if something does.")] = False,
    json: Json = False,
) -> None:
    """Where a version comes from, with the commands that bring it back.

    Example: python -m pipeline lineage champion --verify
    """
    from pipeline.params import load
    from pipeline.refusal import Refusal
    from pipeline.release import origin
    from pipeline.settings import in_force
    from pipeline.tracking.config import TrackingConfig

    with in_force(params, settings or []) as file:
        tracking = load(file, "tracking", into=TrackingConfig)
    if (version is None) == (data is None):
        raise Refusal("lineage: wanted either a version or --data HASH; `python -m pipeline lineage --help` shows both")
    if version is None:
        found = origin.trained_on(tracking, str(data))
        print(to_json({"versions": found}) if json else "\n".join(found) or "no version")
        return
    if not verify:
        print(to_json(origin.facts(tracking, version), indent=2) if json else origin.told(tracking, version))
        return
    different = origin.verified(tracking, version)
    print(to_json({"different": different}) if json else "\n".join(different) or "all is as it was registered")
    if different:
        raise typer.Exit(1)


def rollback(params: Params = PARAMS_FILE, settings: Settings = None, *, json: Json = False) -> None:
    """Make the previous champion the champion again; a second call undoes the first.

    Example: python -m pipeline rollback
    """
    from pipeline.params import load
    from pipeline.release.promotion import rollback as exchange
    from pipeline.settings import in_force
    from pipeline.tracking.config import TrackingConfig

    with in_force(params, settings or []) as file:
        done = exchange(load(file, "tracking", into=TrackingConfig))
    print(to_json({"done": done}) if json else done)
