"""Verbs on networks and their weights."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def describe(
    presets: Annotated[list[str] | None, typer.Argument(help="Presets laid over params.yaml, in this order.")] = None,
    *,
    json: Annotated[bool, typer.Option(help="Print every number as JSON.")] = False,
) -> None:
    """Parameters, MACs, memory and tokens of the networks that params.yaml describes, part by part.

    Example: python -m pipeline describe posetrack18 --json
    """
    from pipeline.describe import described, shown

    print(shown(described(Path("params.yaml"), Path("presets"), names=presets or []), as_json=json))


def import_weights(
    file: Annotated[Path, typer.Argument(help="A published .safetensors or .pth file.")],
    out: Annotated[Path, typer.Option(help="Folder for the network.")],
    new: Annotated[list[str] | None, typer.Option(help="Beginning of names that may stay random, as `head`.")] = None,
    joints: Annotated[Literal["coco", "posetrack"], typer.Option(help="Order of the published channels.")] = "coco",
) -> None:
    """Make a network for training to start from out of ViTPose's, HRNet's or timm's weights.

    Example: python -m pipeline import-weights vitpose-b.pth --out weights/vitpose
    """
    from pipeline.weights import import_weights as import_published
    from pipeline.weights import told

    adoption = import_published(file, out, params_file=Path("params.yaml"), joints=joints, new=new or [])
    print(told(adoption, out))
