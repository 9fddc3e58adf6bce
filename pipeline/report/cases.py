"""The pictures of the page: clips by how well their poses were found, and degraded keyframes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from dsn.skeleton import Skeleton
from pipeline.pages.pictures import Picture, picture, pose
from pipeline.refusal import Refusal
from pipeline.report.clips import Clip, choose, keyframe_position, oks_table, read_clips
from pipeline.report.config import ReportConfig
from pipeline.report.inputs import Inputs
from pipeline.report.palette import Method, in_order
from pipeline.report.poses import Panel, described, into_crop, misses, reach_of, scored, window

STREAMS = ("final", "temporal", "visual")
"""Readouts that are shown side by side, of those that the model has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One person at one keyframe."""

    title: str
    about: str
    strip: tuple[Picture, ...]
    """The frames of the clip as they were filmed, in order of time."""
    keyframe: int
    """Which of them is the keyframe."""
    panels: tuple[Panel, ...]
    """The truth, then one for each method."""


def clip_cases(inputs: Inputs, config: ReportConfig, *, methods: Mapping[str, Method]) -> list[Case]:
    """Clips from the top, the middle and the bottom by the final readout's OKS; none where people were detected."""
    if inputs.is_detected:
        return []
    table = oks_table(inputs.people, inputs.predictions, skeleton=inputs.skeleton)
    chosen = choose(table, config, joints=min(config.min_joints, len(inputs.skeleton.scored)))
    clips = read_clips(inputs.val, chosen)
    streams = [name for name in STREAMS if name in inputs.predictions]
    found = table[streams].to_dict("index")
    points = {name: inputs.predictions[name].set_index("key")["keypoints"] for name in streams}
    return [
        _clip_case(
            clips[key],
            {name: np.asarray(points[name][key], dtype=np.float64).reshape(-1, 2) for name in streams},
            name=f"clip-{number}",
            title=rank,
            keyframe=keyframe_position(inputs.val),
            notes={name: (f"OKS {found[key][name]:.2f}",) for name in streams},
            inputs=inputs,
            methods=methods,
        )
        for number, (key, rank) in enumerate(chosen.items())
    ]


def _clip_case(  # noqa: PLR0913  (one picture is made of all these)
    clip: Clip,
    poses: Mapping[str, Float64[np.ndarray, "K 2"]],
    *,
    name: str,
    title: str,
    keyframe: int,
    notes: Mapping[str, tuple[str, ...]],
    inputs: Inputs,
    methods: Mapping[str, Method],
) -> Case:
    sample = clip.sample
    x1, y1, x2, y2 = sample["bbox"]
    reach = reach_of(sample["head_size"], max(x2 - x1, y2 - y1), is_official=inputs.is_official)
    labels = np.array(sample["keypoints"], dtype=np.float64)
    labels[:, :2] = into_crop(labels[:, :2], sample["to_source"])
    strip = tuple(picture(image, name=f"{name}-{position}") for position, image in enumerate(clip.frames))
    return Case(
        title=title,
        about=f"video {sample['video']}, frame {sample['frame']}, track {sample['track_id']}",
        strip=strip,
        keyframe=keyframe,
        panels=panels(
            strip[keyframe],
            labels,
            {method: into_crop(points, sample["to_source"]) for method, points in poses.items()},
            reach=_in_crop(reach, sample["to_source"]),
            notes=notes,
            skeleton=inputs.skeleton,
            methods=methods,
        ),
    )


def panels(
    where: Picture,
    labels: Float64[np.ndarray, "K 3"],
    poses: Mapping[str, Float64[np.ndarray, "K 2"]],
    *,
    reach: float | None,
    notes: Mapping[str, tuple[str, ...]],
    skeleton: Skeleton,
    methods: Mapping[str, Method],
) -> tuple[Panel, ...]:
    """The same picture with the truth, and with the pose of each method over a faint truth; all in its pixels."""
    shown = scored(skeleton)
    labelled = shown & (labels[:, 2] > 0)
    truth = pose(labels[:, :2], labelled, skeleton=skeleton)
    count = int(labelled.sum())
    everything = np.concatenate([labels[labelled, :2], *(points[shown] for points in poses.values())])
    part = window(everything, where)
    first = Panel(
        picture=where,
        window=part,
        method=methods["truth"],
        pose=truth,
        ghost=None,
        misses=(),
        notes=(f"{count} joints",),
        description=described(methods["truth"], wrong=0, labelled=count),
    )
    others = []
    for name in in_order(poses, methods):
        points = poses[name]
        wrong = misses(points, labels[:, :2], labelled=labelled, reach=reach)
        others.append(
            Panel(
                picture=where,
                window=part,
                method=methods[name],
                pose=pose(points, shown, skeleton=skeleton),
                ghost=truth,
                misses=wrong,
                notes=(*notes.get(name, ()), *((f"{len(wrong)} wrong",) if reach else ())),
                description=described(methods[name], wrong=len(wrong), labelled=count),
            )
        )
    return first, *others


def example_cases(inputs: Inputs, config: ReportConfig, *, methods: Mapping[str, Method]) -> list[Case]:
    """Degraded keyframes: the kinds in turn, the most severe first."""
    return [
        _example_case(example, inputs, name=f"example-{number}", methods=methods)
        for number, example in enumerate(pick(inputs.examples, config.examples))
    ]


def pick(examples: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Some of the examples: the kinds in turn in the order of their first, within a kind the most severe first."""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for example in examples:
        by_kind.setdefault(str(example["kind"]), []).append(example)
    ranked = []
    for place, members in enumerate(by_kind.values()):
        ordered = sorted(members, key=lambda example: -example["severity"])
        ranked += [(turn, place, example) for turn, example in enumerate(ordered)]
    return [example for _, _, example in sorted(ranked, key=lambda entry: entry[:2])[:count]]


def _example_case(example: Mapping[str, Any], inputs: Inputs, *, name: str, methods: Mapping[str, Method]) -> Case:
    folder = inputs.pictures
    where = picture(_image(folder / example["image"]), name=name)
    frames = [_image(folder / frame) for frame in example["frames"]]
    return Case(
        title=f"{example['kind'].replace('_', ' ')}, severity {example['severity']}",
        about=str(example["key"]),
        strip=tuple(picture(image, name=f"{name}-{position}") for position, image in enumerate(frames)),
        keyframe=int(example["keyframe"]),
        panels=panels(
            where,
            np.array(example["truth"], dtype=np.float64),
            {method: np.array(points, dtype=np.float64) for method, points in example["poses"].items()},
            reach=reach_of(example["head_size"], example["bbox_size"], is_official=inputs.is_official),
            notes={},
            skeleton=inputs.skeleton,
            methods=methods,
        ),
    )


def _image(path: Path) -> bytes:
    if not path.is_file():
        raise Refusal(f"{path}: no such file, though examples.json names it; run `dvc repro stress`")
    return path.read_bytes()


def _in_crop(length: float | None, to_source: Sequence[Sequence[float]]) -> float | None:
    """A length in source pixels, in pixels of the crop."""
    return None if length is None else length / float(np.sqrt(abs(np.linalg.det(np.array(to_source)[:, :2]))))
