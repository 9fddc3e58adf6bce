"""A dataset's findings on a terminal, or for a machine."""

import json
from collections.abc import Iterator
from typing import Any


def shown(findings: dict[str, Any], *, as_json: bool) -> str:
    """All findings as JSON, or what a person wants to know first, a line each, and what blocks at the end."""
    if as_json:
        return json.dumps(findings, indent=2, sort_keys=True, allow_nan=False)
    found = [*_kept(findings), *_wrong(findings)] if "splits" in findings else []
    blocks = [f"BLOCKS   {line}" for line in findings["blocks"]] or ["sound    nothing blocks"]
    return "\n".join([*found, *blocks])


def _kept(findings: dict[str, Any]) -> Iterator[str]:
    for split, counts in findings["splits"].items():
        if counts["frames"]:
            yield f"{split:9}" + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    version = findings["label_version"]
    frames = f"{version['evaluated_frames']:,} evaluated frames"
    yield f"labels   {version['name']}: {version['videos']:,} videos of val with {frames}"


def _wrong(findings: dict[str, Any]) -> Iterator[str]:
    for item in findings["left_out"]:
        yield f"left out {item['count']:,} x {item['reason']}, such as {item['examples'][0]}"
    for reason, count in findings["odd"].items():
        if count:
            yield f"odd      {count:,} {reason.replace('_', ' ')}"
    for joint, videos in findings["unknown_joints"].items():
        yield f"odd      {videos:,} videos with the unknown joint {joint}"
