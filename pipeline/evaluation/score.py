"""What `python -m pipeline score` does: the official numbers of any two PoseTrack folders."""

import json
from pathlib import Path
from typing import Any, Literal

from pipeline.artifacts import write_json
from pipeline.evaluation.loading import annotation_files, read_video
from pipeline.evaluation.people import GROUPS
from pipeline.evaluation.posetrack21 import score_as_posetrack21
from pipeline.evaluation.poseval import score_folders
from pipeline.posetrack.label_version import KNOWN, UNKNOWN

COLUMNS = (*GROUPS, "Total")
Protocol = Literal["posetrack", "posetrack21"]
METRICS: dict[Protocol, str] = {"posetrack": "PoseTrack AP", "posetrack21": "PoseTrack21 AP"}
"""What the numbers are to be called; they do not compare with each other."""
NO_TRACKING = "the tracking metrics of PoseTrack21 (HOTA) are not offered, and MOTA is not among them"


def score(
    gt: Path, pred: Path, *, protocol: Protocol, boxes: str | None, out: Path | None, as_json: bool = False
) -> str:
    """Score the predictions in `pred` against `gt`; give what is to be printed, and write every number to `out`.

    Args:
        gt: PoseTrack17 or PoseTrack18 files; PoseTrack21's have the form of 18's.
        pred: files of the same names.
        protocol: whose rules.
        boxes: where the predicted people's boxes come from, in words; no file tells it.
        out: a JSON file.
        as_json: whether every number is printed instead of a table.

    Raises:
        Refusal: a folder or file is missing or malformed.
    """
    result = _scored(gt, pred, protocol)
    labels = _labels(len(annotation_files(gt)), result["n_gt_frames_evaluated"], protocol=protocol)
    result["metric"] = f"{METRICS[protocol]}; boxes: {boxes or 'not said'}; labels: {labels}"
    result["config"] = {"gt": str(gt), "pred": str(pred), "protocol": protocol, "boxes": boxes}
    if out is not None:
        write_json(out, result)
    if as_json:
        return json.dumps(result, indent=2, sort_keys=True, allow_nan=False)
    lines = [*_table(result), "", *_notes(result)]
    if result["ap"]["total"] == 0:
        lines.append(_warn_of_zero(gt, pred))
    return "\n".join(lines)


def _scored(gt: Path, pred: Path, protocol: Protocol) -> dict[str, Any]:
    if protocol == "posetrack":
        return score_folders(gt, pred)
    return score_as_posetrack21(gt, pred) | {"mot": None, "mot_error": NO_TRACKING}


def _labels(videos: int, frames: int, *, protocol: Protocol) -> str:
    """What is known of the labels: numbers compare only within one version of them, and one box source."""
    if protocol == "posetrack21":
        return f"{UNKNOWN} ({videos} videos, {frames} labelled frames)"
    return f"{KNOWN.get((videos, frames), UNKNOWN)} ({videos} videos, {frames} frames evaluated)"


def _table(result: dict[str, Any]) -> list[str]:
    rows = {"AP": result["ap_grouped"]}
    if result["mot"] is not None:
        rows["MOTA"] = result["mot"]["mota_grouped"]
    cells = [["", *COLUMNS], *([name, *(_cell(values[column]) for column in COLUMNS)] for name, values in rows.items())]
    return ["".join(f"{cell:>7}" for cell in line) for line in cells]


def _notes(result: dict[str, Any]) -> list[str]:
    notes = [
        result["metric"],
        f"precision {_cell(result['precision']['total'])}, recall {_cell(result['recall']['total'])}",
    ]
    if result["mot"] is None:
        notes.append(f"no MOTA: {result['mot_error']}")
    else:
        notes.append(f"MOTP {_cell(result['mot']['motp_match_only']['total'])} (matches only)")
    if result["tie_sensitive"]:
        notes.append("right and wrong joints share scores: their order (file name, frame, person) is in these numbers")
    return notes


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _warn_of_zero(gt: Path, pred: Path) -> str:
    """An AP of exactly 0 almost always comes from frames that do not belong together."""
    file = annotation_files(gt)[0].name
    truth, prediction = (", ".join(str(name) for name in read_video(folder / file).frames[:3]) for folder in (gt, pred))
    return f"AP is exactly 0: do the frames fit? {file} starts with {truth} in {gt}, and with {prediction} in {pred}"
