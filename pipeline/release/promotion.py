"""Promotion: the gate's decision becomes the aliases `champion` and `previous`, and stands on the version."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from pipeline.evaluation.joint_scores import ScoreRule
from pipeline.evaluation.statistics import FEWEST_VIDEOS, paired_bootstrap
from pipeline.refusal import Refusal
from pipeline.release.card import completed
from pipeline.release.gate import WHOLE, GateConfig, Standing, decide
from pipeline.release.handover import Handover, finish_cut_off, hand_over, note, now
from pipeline.release.latency import slowdown
from pipeline.tracking.address import WEIGHTS_DIGEST, InRegistry
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.locks import alone
from pipeline.tracking.models import load_model
from pipeline.tracking.registry import Version, describe, find, point, resolved, tag

USUAL_RULE: ScoreRule = "heatmap_times_box"
"""The rule for joint scores that a metric's name leaves unsaid, as do versions from before it was kept."""


def measured(version: str, *, evaluation: Mapping[str, Any], stress: Mapping[str, Any]) -> Standing:
    """A version's numbers from the metrics of evaluate and stress.

    Raises:
        Refusal: the two were measured on different data, or the stress test before it said under what.
    """
    if "grid_hash" not in stress:
        raise Refusal(
            "promote: got a stress/metrics.json without grid_hash, wanted a newer one; run `dvc repro stress`"
        )
    if evaluation["data_hash"] != stress["data_hash"]:
        got = f"evaluation on data {evaluation['data_hash']}, stress on {stress['data_hash']}"
        raise Refusal(f"promote: got {got}, wanted the same; run `dvc repro evaluate stress`")
    return Standing(
        version=version,
        data_hash=evaluation["data_hash"],
        metric=_metric(evaluation),
        ap=evaluation["readouts"]["final"]["ap"]["Total"],
        sequences=evaluation["sequences"],
        boxes=evaluation["boxes"],
        retention=stress["retention"],
        grid_hash=stress["grid_hash"],
    )


def _metric(evaluation: Mapping[str, Any]) -> str:
    """What the AP is called; one that sorted by other joint scores is another."""
    name, rule = str(evaluation["metric"]), evaluation["joint_score"]
    return name if rule == USUAL_RULE else f"{name} by joint scores {rule}"


def promote(
    tracking: TrackingConfig,
    config: GateConfig,
    *,
    version: Version,
    evaluation: Mapping[str, Any],
    stress: Mapping[str, Any],
) -> dict[str, Any]:
    """Decide, keep numbers and reason on the version, and move `champion` and `previous` if it is promoted.

    One promotion at a time on one host: who waited decides against the new champion. MLflow has no compare-and-set that
    would hold across hosts.

    Cut off before the aliases move, it changed numbers and reasons alone, and is done again by the next call; a
    champion whose new numbers were cut off has none until then, rather than some of both. Cut off later, it is
    completed by the next call, for which the version is the champion already. See `hand_over`.

    Args:
        tracking: where the registry is.
        config: the limits.
        version: the candidate, as registered.json has it.
        evaluation: its metrics by stage evaluate.
        stress: its metrics by stage stress.

    Returns:
        What promotion.json says.

    Raises:
        Refusal: the metrics do not belong together, or the registry has no such version, or other weights under its
            number.
    """
    number = version.version
    candidate = measured(number, evaluation=evaluation, stress=stress)
    place = InRegistry(name=tracking.model, version=number, alias=None, sha256=version.tags[WEIGHTS_DIGEST])
    with alone(tracking):
        finish_cut_off(tracking)
        own = resolved(tracking, place)
        current = find(tracking, alias="champion")
        decision = decide(candidate, current, config, slowdown=partial(_slowdown, tracking, own, current))
        before = None if current is None else current.version
        what = "promoted" if decision.promoted else "not promoted"
        tags = _box_file(evaluation) | candidate.tags
        tag(tracking, version=number, tags={WHOLE: ""})
        note(tracking, own, what=what, reason=decision.reason, time=now(), more=tags)
        describe(tracking, version=number, change=partial(completed, measured=told(evaluation, stress, config)))
        if decision.promoted:
            _crown(tracking, number, current=current, reason=decision.reason)
    return {
        "promoted": decision.promoted,
        "reason": decision.reason,
        "version": number,
        "champion_before": before,
        "data_hash": candidate.data_hash,
        "metric": candidate.metric,
        "ap": candidate.ap,
        "boxes": candidate.boxes,
        "retention": candidate.retention,
        "grid_hash": candidate.grid_hash,
    }


def _box_file(evaluation: Mapping[str, Any]) -> dict[str, str]:
    """The whole hash of the file that the bboxes of val came from, if they did."""
    source = evaluation["box_source"]
    return {} if source is None else {"gate.box_file": source["sha256"]}


def _slowdown(tracking: TrackingConfig, candidate: Version, champion: Version | None) -> float:
    networks = [load_model(f"models:/{one.name}/{one.version}", tracking) for one in (candidate, champion) if one]
    return slowdown(*networks)


def _crown(tracking: TrackingConfig, version: str, *, current: Version | None, reason: str) -> None:
    """Move `champion`; the one before is kept as `previous`."""
    if current is None:
        point(tracking, alias="champion", version=version)
    elif current.version != version:
        move = Handover(what="promotion", champion=version, previous=current.version, reason=reason, time=now())
        hand_over(tracking, move)


def rollback(tracking: TrackingConfig) -> str:
    """Make `previous` the champion again and the champion `previous`, so that a second call undoes the first.

    A rollback that was cut off is completed by the next call, which then does nothing else. A promotion that was cut
    off is completed and then undone. Neither can lose a version, see `hand_over`. Only where the server fell between
    its last step and its answer is a rollback done that said it was not.

    Returns:
        What was done, in one sentence.

    Raises:
        Refusal: there is no champion, or none before it.
    """
    with alone(tracking):
        cut_off = finish_cut_off(tracking)
        if cut_off is not None and cut_off.what == "rollback":
            return cut_off.reason
        current, before = find(tracking, alias="champion"), find(tracking, alias="previous")
        if current is None or before is None:
            absent = "champion" if current is None else "previous"
            raise Refusal(f"{tracking.model}: got no alias {absent}, wanted champion and previous to exchange")
        if current.version == before.version:
            got = f"got version {current.version} as champion and as previous"
            raise Refusal(f"{tracking.model}: {got}, wanted two to exchange; point previous at another one")
        reason = f"version {before.version} is champion again in place of version {current.version}"
        move = Handover(what="rollback", champion=before.version, previous=current.version, reason=reason, time=now())
        hand_over(tracking, move)
    return reason


def told(evaluation: Mapping[str, Any], stress: Mapping[str, Any], config: GateConfig) -> str:
    """What was measured, for the card."""
    scores = [
        f"- {name}: {evaluation['metric']} {_number(score['ap']['Total'])}"
        for name, score in evaluation["readouts"].items()
    ]
    verdicts = [f"- {kind}: {entry['text']}" for kind, entry in stress["verdict"].items()]
    where = f"On data {evaluation['data_hash']}, bboxes: {evaluation['boxes']}."
    by_video = _interval([value for value in evaluation["sequences"].values() if value is not None], config)
    return "\n".join(
        [where, "", *scores, f"- final, mean over videos: {by_video}", "", "Under stress:", "", *verdicts, ""]
    )


def _interval(values: Sequence[float], config: GateConfig) -> str:
    if len(values) < FEWEST_VIDEOS:
        return f"no interval, for fewer than {FEWEST_VIDEOS} videos"
    found = paired_bootstrap(np.array(values), np.zeros(len(values)), draws=config.draws, seed=config.seed)
    return f"{found.value:.1f}, 95 % in {found.low:.1f} to {found.high:.1f}"


def _number(value: float | None) -> str:
    return "none" if value is None or math.isnan(value) else f"{value:.1f}"
