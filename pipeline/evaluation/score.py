"""What `python -m pipeline score` does: the official numbers of any two PoseTrack folders."""

from pathlib import Path
from typing import Any

from pipeline.artifacts import write_json
from pipeline.evaluation.loading import annotation_files, read_video
from pipeline.evaluation.people import GROUPS
from pipeline.evaluation.poseval import score_folders
from pipeline.posetrack.label_version import KNOWN, UNKNOWN

COLUMNS = (*GROUPS, "Total")


def score(gt: Path, pred: Path, *, boxes: str | None, out: Path | None) -> str:
    """Score the predictions in `pred` against `gt`; give a table to print, and write every number to `out`.

    Args:
        gt: PoseTrack17 or PoseTrack18 files.
        pred: files of the same names.
        boxes: where the predicted people's boxes come from, in words; no file tells it.
        out: a JSON file.

    Raises:
        Refusal: a folder or file is missing or malformed.
    """
    result = score_folders(gt, pred)
    result["metric"] = _metric(len(annotation_files(gt)), result["n_gt_frames_evaluated"], boxes=boxes)
    if out is not None:
        write_json(out, result)
    lines = [*_table(result), "", *_notes(result)]
    if result["ap"]["total"] == 0:
        lines.append(_warn_of_zero(gt, pred))
    return "\n".join(lines)


def _metric(videos: int, frames: int, *, boxes: str | None) -> str:
    """What the numbers are to be called: they compare only within one box source and one version of the labels."""
    labels = f"labels: {KNOWN.get((videos, frames), UNKNOWN)} ({videos} videos, {frames} frames evaluated)"
    return f"PoseTrack AP; boxes: {boxes or 'not said'}; {labels}"


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
