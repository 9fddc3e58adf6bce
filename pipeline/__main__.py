"""The user's verbs: `python -m pipeline VERB`, or `dsn-pose VERB` where the wheel is installed."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.refusal import Refusal

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
config = typer.Typer(no_args_is_help=True, help="See and change params.yaml.")
app.add_typer(config, name="config")
cluster = typer.Typer(no_args_is_help=True, help="Ray for several stages.")
app.add_typer(cluster, name="cluster")

MARKS = {"ok": "ok     ", "warning": "warning", "blocks": "BLOCKS "}


@app.command()
def doctor(*, quiet: Annotated[bool, typer.Option(help="Print only what is wrong.")] = False) -> None:
    """Check packages, params, data, servers and disk; exit with 1 if something blocks.

    Example: python -m pipeline doctor
    """
    from pipeline.doctor import examine  # noqa: PLC0415  (each verb imports what it needs, so that --help is quick)

    blocked = False
    for finding in examine():
        blocked |= finding.state == "blocks"
        if not quiet or finding.state != "ok":
            repair = f"\n          repair: {finding.repair}" if finding.repair else ""
            print(f"{MARKS[finding.state]} {finding.what}: {finding.detail}{repair}")
    if blocked:
        raise typer.Exit(1)


@app.command()
def check(
    root: Annotated[Path, typer.Argument(help="A dataset's folder, in any format that stage prepare reads.")],
    out: Annotated[Path | None, typer.Option(help="Folder for checks.json and a page with pictures.")] = None,
    *,
    decode: Annotated[bool, typer.Option(help="Decode every image whole.")] = False,
    json: Annotated[bool, typer.Option(help="Print all findings as JSON.")] = False,
) -> None:
    """Look for what is wrong with a dataset, and change nothing; exit with 1 if something blocks.

    Example: python -m pipeline check data/posetrack18 --out checks
    """
    from pipeline.checks.check import check as check_dataset  # noqa: PLC0415
    from pipeline.checks.lines import shown  # noqa: PLC0415
    from pipeline.params import load  # noqa: PLC0415
    from pipeline.posetrack.index import PrepareConfig  # noqa: PLC0415

    config = load(Path("params.yaml"), "prepare", into=PrepareConfig)
    findings = check_dataset(root, config, out=out, decode=decode)
    print(shown(findings, as_json=json))
    if findings["blocks"]:
        raise typer.Exit(1)


@app.command()
def browse(
    shards: Annotated[str, typer.Argument(help="A split's folder of shards, here or at a URL.")],
    out: Annotated[Path, typer.Option(help="New folder for pictures, a video and a page.")],
    key: Annotated[list[str] | None, typer.Option(help="Show this sample; may be given several times.")] = None,
    number: Annotated[int, typer.Option(help="How many are drawn where no key is given.", min=1)] = 12,
    seed: Annotated[
        int, typer.Option(help="Decides which are drawn, and, as the training's seed, how they vary.", min=0)
    ] = 0,
    epoch: Annotated[int, typer.Option(help="Of the training, with --augmented.", min=0)] = 0,
    *,
    augmented: Annotated[bool, typer.Option(help="Vary them as params.yaml says.")] = False,
) -> None:
    """Show clips of shards with their keypoints, just as evaluation or training gets them.

    Example: python -m pipeline browse data/shards/train --augmented --out clips
    """
    from pipeline.browse.browse import browse as browse_shards  # noqa: PLC0415
    from pipeline.browse.clips import Choice, Variation  # noqa: PLC0415
    from pipeline.params import load  # noqa: PLC0415
    from pipeline.shards.reader import ReaderConfig  # noqa: PLC0415
    from pipeline.shards.store import located  # noqa: PLC0415

    reader = load(Path("params.yaml"), "reader", into=ReaderConfig)
    variation = Variation(augment=reader.augment, seed=seed, epoch=epoch) if augmented else None
    choice = Choice(keys=tuple(key or ()), number=number, seed=seed)
    count = browse_shards(located(shards, reader.store), out, choice, variation=variation)
    print(f"{out / 'index.html'} shows {count} clips")


@app.command()
def score(
    gt: Annotated[Path, typer.Option(help="Folder of ground-truth files, PoseTrack17 or 18.")],
    pred: Annotated[Path, typer.Option(help="Folder of predictions with the same file names.")],
    json: Annotated[Path | None, typer.Option(help="Where to write every number.")] = None,
) -> None:
    """Official PoseTrack AP and MOTA of two folders.

    Example: python -m pipeline score --gt annotations/val --pred predictions --json score.json
    """
    from pipeline.evaluation.score import score as score_table  # noqa: PLC0415

    print(score_table(gt, pred, out=json))


@app.command()
def describe(
    presets: Annotated[list[str] | None, typer.Argument(help="Presets laid over params.yaml, in this order.")] = None,
    *,
    json: Annotated[bool, typer.Option(help="Print every number as JSON.")] = False,
) -> None:
    """Parameters, MACs, memory and tokens of the networks that params.yaml describes, part by part.

    Example: python -m pipeline describe posetrack18 --json
    """
    from pipeline.describe import described, shown  # noqa: PLC0415

    print(shown(described(Path("params.yaml"), Path("presets"), names=presets or []), as_json=json))


@app.command()
def import_weights(
    file: Annotated[Path, typer.Argument(help="A published .safetensors or .pth file.")],
    out: Annotated[Path, typer.Option(help="Folder for the network.")],
    new: Annotated[list[str] | None, typer.Option(help="Beginning of names that may stay random, as `head`.")] = None,
    joints: Annotated[Literal["coco", "posetrack"], typer.Option(help="Order of the published channels.")] = "coco",
) -> None:
    """Make a network for training to start from out of ViTPose's, HRNet's or timm's weights.

    Example: python -m pipeline import-weights vitpose-b.pth --out weights/vitpose
    """
    from pipeline.weights import import_weights as import_published  # noqa: PLC0415
    from pipeline.weights import told  # noqa: PLC0415

    adoption = import_published(file, out, params_file=Path("params.yaml"), joints=joints, new=new or [])
    print(told(adoption, out))


@config.command()
def use(name: Annotated[str, typer.Argument(help="A preset: a file below presets/ without its ending.")]) -> None:
    """Write a preset into params.yaml, comments kept.

    Example: python -m pipeline config use posetrack18
    """
    from pipeline.params import use_preset  # noqa: PLC0415

    use_preset(Path("params.yaml"), Path("presets"), name)
    print(f"params.yaml now holds the preset {name}")


@cluster.command(context_settings={"ignore_unknown_options": True})
def run(command: Annotated[list[str], typer.Argument(help="A command and its arguments.")]) -> None:
    """Run a command whose stages share one Ray, which saves each of them its start; exits as the command does.

    Example: python -m pipeline cluster run dvc repro
    """
    from pipeline.cluster import run_sharing  # noqa: PLC0415

    try:
        run_sharing(command)
    except subprocess.CalledProcessError as error:
        raise typer.Exit(error.returncode) from None


@cluster.command()
def up() -> None:
    """Start a Ray that stays for the commands to come, and print its address.

    Example: python -m pipeline cluster up
    """
    from pipeline.standing import up as start  # noqa: PLC0415

    print(start())


@cluster.command()
def down() -> None:
    """End the Ray that `up` started, and no other.

    Example: python -m pipeline cluster down
    """
    from pipeline.standing import down as end  # noqa: PLC0415

    print("ended" if end() else "nothing was up")


@cluster.command(hidden=True)
def hold() -> None:
    """Be the process that `up` leaves behind."""
    from pipeline.cluster import hold as keep  # noqa: PLC0415

    keep()


def main() -> None:
    """Run a verb; a refusal is one line and exit 1."""
    try:
        app()
    except Refusal as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
