"""Verbs on this machine and on params.yaml."""

from json import dumps as to_json
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.verbs.options import EXITS, PARAMS_FILE, Json, Params, Settings

config = typer.Typer(no_args_is_help=True, help="See and change params.yaml.")

MARKS = {"ok": "ok     ", "warning": "warning", "blocks": "BLOCKS "}


def doctor(
    *, quiet: Annotated[bool, typer.Option("--quiet", help="Print only what is wrong.")] = False, json: Json = False
) -> None:
    """Check packages, params, data, servers and disk; exit with 1 if something blocks.

    Example: python -m pipeline doctor
    """
    from dataclasses import asdict

    from pipeline.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not json and (not quiet or finding.state != "ok"):
            repair = f"\n          repair: {finding.repair}" if finding.repair else ""
            print(f"{MARKS[finding.state]} {finding.what}: {finding.detail}{repair}")
    if json:
        print(to_json({"findings": [asdict(one) for one in findings if not quiet or one.state != "ok"]}, indent=2))
    if any(finding.state == "blocks" for finding in findings):
        raise typer.Exit(1)


PRESETS = Annotated[Path, typer.Option(help="The folder of presets.")]


@config.command(epilog=EXITS)
def show(
    section: Annotated[str, typer.Argument(help="Only what begins so, such as `model.backbone`.")] = "",
    params: Params = PARAMS_FILE,
    settings: Settings = None,
    *,
    json: Json = False,
) -> None:
    """Print every value in force under its dotted name; exit with 1 if one is unknown, missing or impossible.

    Example: python -m pipeline config show train
    """
    from pipeline.params import flat, read
    from pipeline.sections import check_params
    from pipeline.settings import in_force

    with in_force(params, settings or []) as file:
        _show(flat(read(file)), section, params=params, as_json=json)
        check_params(file)


def _show(values: dict[str, Any], section: str, *, params: Path, as_json: bool) -> None:
    """Print what begins with the section's name."""
    from pipeline.params import closest
    from pipeline.refusal import Refusal

    found = {name: value for name, value in values.items() if f"{name}.".startswith(f"{section}." if section else "")}
    if not found:
        parts = [".".join(name.split(".")[: depth + 1]) for name in values for depth in range(name.count(".") + 1)]
        raise Refusal(f"{params}: {section} is not a known key{closest(section, parts)}")
    print(to_json(found, indent=2) if as_json else "\n".join(f"{name}: {to_json(one)}" for name, one in found.items()))


@config.command(epilog=EXITS)
def diff(
    name: Annotated[str, typer.Argument(help="A preset: a file below presets/ without its ending.")],
    params: Params = PARAMS_FILE,
    presets: PRESETS = Path("presets"),
    *,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: [in force, the preset's] by name.")
    ] = False,
) -> None:
    """Print what a preset would change, and change nothing.

    Example: python -m pipeline config diff posetrack18
    """
    from pipeline.params import preset_changes

    changes = preset_changes(params, presets, name)
    lines = [f"{key}: {to_json(old)} -> {to_json(new)}" for key, (old, new) in changes.items()]
    print(to_json(changes, indent=2) if json else "\n".join(lines or [f"params.yaml holds the preset {name} already"]))


@config.command(epilog=EXITS)
def use(name: Annotated[str, typer.Argument(help="A preset: a file below presets/ without its ending.")]) -> None:
    """Write a preset into params.yaml, comments kept.

    Example: python -m pipeline config use posetrack18
    """
    from pipeline.params import use_preset

    use_preset(Path("params.yaml"), Path("presets"), name)
    print(f"params.yaml now holds the preset {name}")
