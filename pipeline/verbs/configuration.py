"""Verbs on this machine and on params.yaml."""

from pathlib import Path
from typing import Annotated

import typer

config = typer.Typer(no_args_is_help=True, help="See and change params.yaml.")

MARKS = {"ok": "ok     ", "warning": "warning", "blocks": "BLOCKS "}


def doctor(*, quiet: Annotated[bool, typer.Option(help="Print only what is wrong.")] = False) -> None:
    """Check packages, params, data, servers and disk; exit with 1 if something blocks.

    Example: python -m pipeline doctor
    """
    from pipeline.doctor import examine

    blocked = False
    for finding in examine():
        blocked |= finding.state == "blocks"
        if not quiet or finding.state != "ok":
            repair = f"\n          repair: {finding.repair}" if finding.repair else ""
            print(f"{MARKS[finding.state]} {finding.what}: {finding.detail}{repair}")
    if blocked:
        raise typer.Exit(1)


@config.command()
def use(name: Annotated[str, typer.Argument(help="A preset: a file below presets/ without its ending.")]) -> None:
    """Write a preset into params.yaml, comments kept.

    Example: python -m pipeline config use posetrack18
    """
    from pipeline.params import use_preset

    use_preset(Path("params.yaml"), Path("presets"), name)
    print(f"params.yaml now holds the preset {name}")
