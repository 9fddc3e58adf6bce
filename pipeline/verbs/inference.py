"""Verbs that use a network on footage of one's own."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.verbs.options import PARAMS_FILE, Json, Params, Settings

Model = Annotated[
    str | None,
    typer.Option(
        help="models:/NAME@ALIAS, models:/NAME/VERSION, or a network's folder. Needed where there is no `--onnx`."
    ),
]
Detector = Annotated[
    Literal["fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_resnet50_fpn_v2"],
    typer.Option(help="Torchvision's, for `--boxes detect`."),
]
MinScore = Annotated[
    float,
    typer.Option(help="Leave out boxes below this score. Below 0.5, `detect` only continues tracks.", min=0, max=1),
]
Engine = Annotated[
    Literal["torch", "onnx"] | None,
    typer.Option(help="What runs the network: torch, unless there is a file; onnx is onnxruntime, on the CPU."),
]


def predict(
    sources: Annotated[list[str], typer.Argument(help="Videos, folders of images, or patterns in quotes.")],
    boxes: Annotated[
        str, typer.Option(help="File with boxes: PoseTrack18's JSON, mmpose's or PoseWarper's; or `detect`.")
    ],
    out: Annotated[Path, typer.Option(help="New folder for JSON, CSV and videos.")],
    model: Model = None,
    detector: Detector = "fasterrcnn_mobilenet_v3_large_fpn",
    detector_weights: Annotated[Path | None, typer.Option(help="The file that torchvision published for it.")] = None,
    min_score: MinScore = 0.3,
    smooth: Annotated[
        Literal["none", "one-euro", "savgol"], typer.Option(help="Over time: as frames come, or looking 3 ahead.")
    ] = "none",
    fps: Annotated[float, typer.Option(help="Frames a second of images, which do not say.")] = 25.0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    engine: Engine = None,
    onnx: Annotated[
        Path | None, typer.Option(help="A file of `export` to run; with `--model`, compared with it before.")
    ] = None,
    params: Params = PARAMS_FILE,
    settings: Settings = None,
    *,
    online: Annotated[bool, typer.Option(help="Hand on each frame before the next; tells the latency.")] = False,
    overlay: Annotated[bool, typer.Option(help="Write a video that shows the poses.")] = True,
    json: Json = False,
) -> None:
    """Poses of everybody in videos: PoseTrack18's JSON, COCO's results, CSV, and a video that shows them.

    Ctrl-C ends it after the frame in hand, with files that hold what was read, and exit code 130. A video that cannot
    be read to its end is told with its reason, the others are done, and the exit code is 1.

    Example: python -m pipeline predict street.mp4 --model models:/dsn-pose@champion --boxes boxes.json --out poses
    """
    from pipeline.inference.job import RECORD, PredictConfig, predict_all, refused, shown
    from pipeline.refusal import Refusal
    from pipeline.settings import in_force

    config = PredictConfig(
        model=model,
        boxes="detect" if boxes == "detect" else Path(boxes),
        detector=detector,
        detector_weights=detector_weights,
        min_score=min_score,
        smoothing=smooth,
        is_online=online,
        with_overlay=overlay,
        fps=fps,
        device=device,
        engine=engine or ("torch" if onnx is None else "onnx"),
        onnx=onnx,
    )
    with in_force(params, settings or []) as file:
        record = predict_all(sources, out, config, params_file=file)
    print(shown(record, out, as_json=json))
    if record["is_interrupted"]:
        raise typer.Exit(130)
    if names := refused(record):
        got = f"got {len(names)} of {len(record['videos'])} videos that cannot be read to the end, {', '.join(names)}"
        raise Refusal(f"{got}; {out / RECORD} says why, and the others are done")
