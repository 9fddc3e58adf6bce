"""Verbs on this machine and on params.yaml."""

from json import dumps as to_json
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


PARAMS = Annotated[Path, typer.Option(help="The params file.")]
PRESETS = Annotated[Path, typer.Option(help="The folder of presets.")]


@config.command()
def show(
    section: Annotated[str, typer.Argument(help="Only what begins so, such as `model.backbone`.")] = "",
    params: PARAMS = Path("params.yaml"),
    *,
    json: Annotated[bool, typer.Option(help="Print one JSON object.")] = False,
) -> None:
    """Print every value in force under its dotted name; exit with 1 if one is unknown, missing or impossible.

    Example: python -m pipeline config show train
    """
    from pipeline.params import closest, flat, read
    from pipeline.refusal import Refusal
    from pipeline.sections import check_params

    values = flat(read(params))
    found = {name: value for name, value in values.items() if f"{name}.".startswith(f"{section}." if section else "")}
    if not found:
        parts = [".".join(name.split(".")[: depth + 1]) for name in values for depth in range(name.count(".") + 1)]
        raise Refusal(f"{params}: {section} is not a known key{closest(section, parts)}")
    print(to_json(found, indent=2) if json else "\n".join(f"{name}: {to_json(one)}" for name, one in found.items()))
    check_params(params)


@config.command()
def diff(
    name: Annotated[str, typer.Argument(help="A preset: a file below presets/ without its ending.")],
    params: PARAMS = Path("params.yaml"),
    presets: PRESETS = Path("presets"),
    *,
    json: Annotated[bool, typer.Option(help="Print one JSON object: [in force, the preset's] by name.")] = False,
) -> None:
    """Print what a preset would change, and change nothing.

    Example: python -m pipeline config diff posetrack18
    """
    from pipeline.params import preset_changes

    changes = preset_changes(params, presets, name)
    lines = [f"{key}: {to_json(old)} -> {to_json(new)}" for key, (old, new) in changes.items()]
    print(to_json(changes, indent=2) if json else "\n".join(lines or [f"params.yaml holds the preset {name} already"]))


@config.command()
def use(name: Annotated[str, typer.Argument(help="A preset: a file below presets/ without its ending.")]) -> None:
    """Write a preset into params.yaml, comments kept.

    Example: python -m pipeline config use posetrack18
    """
    from pipeline.params import use_preset

    use_preset(Path("params.yaml"), Path("presets"), name)
    print(f"params.yaml now holds the preset {name}")
