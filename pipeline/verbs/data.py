"""Verbs on datasets and shards."""

from json import dumps as to_json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.verbs.options import PARAMS_FILE, Json, Params, Settings


def check(
    root: Annotated[Path, typer.Argument(help="A dataset's folder, in any format that stage prepare reads.")],
    out: Annotated[Path | None, typer.Option(help="Folder for checks.json and a page with pictures.")] = None,
    params: Params = PARAMS_FILE,
    settings: Settings = None,
    *,
    decode: Annotated[bool, typer.Option(help="Decode every image whole.")] = False,
    json: Json = False,
) -> None:
    """Look for what is wrong with a dataset, and change nothing; exit with 1 if something blocks.

    Example: python -m pipeline check data/posetrack18 --out checks
    """
    from pipeline.checks.check import check as check_dataset
    from pipeline.checks.lines import shown
    from pipeline.params import load
    from pipeline.posetrack.index import PrepareConfig
    from pipeline.settings import in_force

    with in_force(params, settings or []) as file:
        config = load(file, "prepare", into=PrepareConfig)
    findings = check_dataset(root, config, out=out, decode=decode)
    print(shown(findings, as_json=json))
    if findings["blocks"]:
        raise typer.Exit(1)


def browse(
    shards: Annotated[str, typer.Argument(help="A split's folder of shards, here or at a URL.")],
    out: Annotated[Path, typer.Option(help="New folder for pictures, a video and a page.")],
    key: Annotated[list[str] | None, typer.Option(help="Show this sample; may be given several times.")] = None,
    number: Annotated[int, typer.Option(help="How many are drawn where no key is given.", min=1)] = 12,
    seed: Annotated[
        int, typer.Option(help="Decides which are drawn, and, as the training's seed, how they vary.", min=0)
    ] = 0,
    epoch: Annotated[int, typer.Option(help="Of the training, with --augmented.", min=0)] = 0,
    params: Params = PARAMS_FILE,
    settings: Settings = None,
    *,
    augmented: Annotated[bool, typer.Option(help="Vary them as params.yaml says.")] = False,
    json: Json = False,
) -> None:
    """Show clips of shards with their keypoints, just as evaluation or training gets them.

    Example: python -m pipeline browse data/shards/train --augmented --out clips
    """
    from pipeline.browse.browse import browse as browse_shards
    from pipeline.browse.clips import Choice, Variation
    from pipeline.params import load
    from pipeline.settings import in_force
    from pipeline.shards.reader import ReaderConfig
    from pipeline.shards.store import located

    with in_force(params, settings or []) as file:
        reader = load(file, "reader", into=ReaderConfig)
    variation = Variation(augment=reader.augment, seed=seed, epoch=epoch) if augmented else None
    choice = Choice(keys=tuple(key or ()), number=number, seed=seed)
    count = browse_shards(located(shards, reader.store), out, choice, variation=variation)
    told = {"page": str(out / "index.html"), "clips": count}
    print(to_json(told) if json else f"{told['page']} shows {count} clips")
