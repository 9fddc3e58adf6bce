"""Verbs on predictions."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.verbs.options import Json


def score(
    gt: Annotated[Path, typer.Option(help="Folder of ground-truth files, PoseTrack17, 18 or 21.")],
    pred: Annotated[Path, typer.Option(help="Folder of predictions with the same file names.")],
    boxes: Annotated[
        str | None, typer.Option(help="Where the predicted boxes come from, for the metric's name.")
    ] = None,
    protocol: Annotated[
        Literal["posetrack", "posetrack21"], typer.Option(help="The official AP and MOTA, or PoseTrack21's own AP.")
    ] = "posetrack",
    out: Annotated[Path | None, typer.Option(help="File for every number, as JSON.")] = None,
    *,
    json: Json = False,
) -> None:
    """Official PoseTrack AP and MOTA of two folders.

    Example: python -m pipeline score --gt annotations/val --pred predictions --out score.json
    """
    from pipeline.evaluation.score import score as score_table

    print(score_table(gt, pred, protocol=protocol, boxes=boxes, out=out, as_json=json))
