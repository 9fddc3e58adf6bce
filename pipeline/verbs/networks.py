"""Verbs on networks and their weights."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.verbs.options import PARAMS_FILE, Json, Params, Settings


def describe(
    presets: Annotated[list[str] | None, typer.Argument(help="Presets laid over params.yaml, in this order.")] = None,
    params: Params = PARAMS_FILE,
    presets_in: Annotated[Path, typer.Option("--presets", help="The folder of presets.")] = Path("presets"),
    settings: Settings = None,
    *,
    json: Json = False,
) -> None:
    """Parameters, MACs, memory and tokens of the networks that params.yaml describes, part by part.

    Example: python -m pipeline describe posetrack18 --json
    """
    from pipeline.describe import described, shown

    print(shown(described(params, presets_in, names=presets or [], settings=settings or []), as_json=json))


def import_weights(
    file: Annotated[Path, typer.Argument(help="A published .safetensors or .pth file.")],
    out: Annotated[Path, typer.Option(help="Folder for the network.")],
    new: Annotated[list[str] | None, typer.Option(help="Beginning of names that may stay random, as `head`.")] = None,
    joints: Annotated[Literal["coco", "posetrack"], typer.Option(help="Order of the published channels.")] = "coco",
    mean: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Of red, green and blue from 0 to 1, as the weights were trained; else what timm says."),
    ] = None,
    std: Annotated[
        tuple[float, float, float] | None, typer.Option(help="Their deviations, which go with `--mean`.")
    ] = None,
    params: Params = PARAMS_FILE,
    settings: Settings = None,
    *,
    json: Json = False,
) -> None:
    """Make a network for training to start from out of ViTPose's, HRNet's or timm's weights.

    Example: python -m pipeline import-weights vitpose-b.pth --out weights/vitpose
    """
    from dataclasses import asdict
    from json import dumps

    from pipeline.settings import in_force
    from pipeline.weights import import_weights as import_published
    from pipeline.weights import pixel_scale, told

    with in_force(params, settings or []) as params_file:
        adoption = import_published(
            file, out, params_file=params_file, joints=joints, new=new or [], pixels=pixel_scale(mean, std)
        )
    print(dumps(asdict(adoption), indent=2) if json else told(adoption, out))


def export(
    model: Annotated[str, typer.Argument(help="models:/NAME@ALIAS, models:/NAME/VERSION, or a network's folder.")],
    out: Annotated[Path, typer.Option(help="New file, .onnx or .pt2.")],
    kind: Annotated[
        Literal["onnx", "torch"], typer.Option("--format", help="ONNX, or an archive of torch.export.")
    ] = "onnx",
    shards: Annotated[
        str | None, typer.Option(help="Compare on a split's clips, here or at a URL; else on drawn ones.")
    ] = None,
    params: Params = PARAMS_FILE,
    settings: Settings = None,
    *,
    json: Json = False,
) -> None:
    """Write a network as one file for any batch, and beside it a report of how far its answers are from PyTorch's.

    It takes normalised crops and gives the final heatmaps. Exits with 1, and leaves no file, where it is too far.

    Example: python -m pipeline export models:/dsn-pose@champion --format onnx --out dsn.onnx
    """
    from json import dumps

    from pipeline.export.job import ExportOrder, export_model, shown
    from pipeline.settings import in_force

    order = ExportOrder(model=model, out=out, kind=kind, shards=shards)
    with in_force(params, settings or []) as file:
        report = export_model(order, params_file=file)
    print(dumps(report, indent=2, sort_keys=True) if json else shown(report, out))
