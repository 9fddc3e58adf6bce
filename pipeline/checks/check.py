"""A dataset checked as a whole, whatever is wrong with it, and nothing of it changed."""

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from dsn.skeleton import POSETRACK
from pipeline.artifacts import write_json
from pipeline.checks.page import write_page
from pipeline.posetrack.annotations import Split
from pipeline.posetrack.checks import check_root
from pipeline.posetrack.index import PrepareConfig, build_index
from pipeline.posetrack.sources import Source, find_source, read_file
from pipeline.refusal import Refusal


def check(root: Path, config: PrepareConfig, *, out: Path | None, decode: bool) -> dict[str, Any]:
    """What checks.json holds; where files cannot be read, `blocks` alone, with a line for each of them.

    The dataset is sound where `blocks` is empty.

    Args:
        root: the dataset's folder.
        config: limits.
        out: folder for checks.json and its page, checks.html; neither is written where this is None.
        decode: decode every image whole, even where `config` does not ask for it.

    Raises:
        Refusal: `out` lies in the dataset.
    """
    if out is not None and out.resolve().is_relative_to(root.resolve()):
        raise Refusal(f"{out}: got a folder in the dataset {root}, which is only read; wanted one outside of it")
    skeleton = POSETRACK
    checks = replace(config.checks, decode=decode or config.checks.decode)
    try:
        check_root(root)
        index, findings = build_index(root, replace(config, checks=checks))
        skeleton = index.skeleton
    except Refusal as refusal:
        findings = {"blocks": _refused(root) or [str(refusal)]}
    if out is not None:
        write_json(out / "checks.json", findings)
        write_page(out / "checks.html", findings, root, skeleton=skeleton)
    return findings


def _refused(root: Path) -> list[str]:
    """Why each annotation file that cannot be read cannot."""
    try:
        source = find_source(root)
        paths = [(split, path) for split in get_args(Split) for path in source.files(split)]
    except Refusal as refusal:
        return [str(refusal)]
    lines = (_fault(source, path, split=split) for split, path in paths)
    return [line for line in lines if line]


def _fault(source: Source, path: Path, *, split: Split) -> str:
    try:
        for _ in read_file(source, path, split):
            pass
    except Refusal as refusal:
        return str(refusal)
    return ""
