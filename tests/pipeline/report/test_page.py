import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from pipeline.artifacts import read_json, write_json
from pipeline.refusal import Refusal
from pipeline.report.config import ReportConfig
from pipeline.report.inputs import Sources, read_inputs
from pipeline.report.page import claims, lineage, render, write_page
from pipeline.report.tables import MISSING

REQUIRED = (
    ("index/skeleton.json", "prepare"),
    ("index/checks.json", "prepare"),
    ("index/people.parquet", "prepare"),
    ("pretrain/history.csv", "pretrain"),
    ("pretrain/run.json", "pretrain"),
    ("control/history.csv", "control"),
    ("train/history.csv", "train"),
    ("train/run.json", "train"),
    ("tune/trials.csv", "tune"),
    ("tune/best.json", "tune"),
    ("evaluation/metrics.json", "evaluate"),
    ("evaluation/joints.csv", "evaluate"),
    ("evaluation/breakdown.csv", "evaluate"),
    ("evaluation/pckh.csv", "evaluate"),
    ("evaluation/predictions/final.parquet", "evaluate"),
    ("stress/metrics.json", "stress"),
    ("stress/curves.csv", "stress"),
    ("stress/examples/examples.json", "stress"),
    ("registered.json", "register"),
    ("promotion.json", "promote"),
    ("val/manifest.json", "shard"),
)


class Reader(HTMLParser):
    """What a browser would make of a page: its text, its ids and what it points at."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.images_without_words: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids += [values["id"]] if "id" in values else []
        self.references += [values[name] for name in ("href", "src", "xlink:href") if name in values]
        if values.get("role") == "img" and not values.get("aria-label"):
            self.images_without_words.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def words(page: str) -> str:
    return " ".join(" ".join(read(page).text).split())


def rows(page: str) -> list[list[str]]:
    """Cells of every row of every table, with the row's label first."""
    found = re.findall(r"<tr>(.*?)</tr>", page, flags=re.DOTALL)
    return [[re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in found]


def test_the_page_says_what_the_stages_found(page: str) -> None:
    text = words(page)

    assert "The claim holds for 1 and does not hold for 1 of 2 claims (kinds of degradation and strides)" in text
    facts = "on val, 95 % interval over draws of videos 55.5 to 66.6: 9 people; boxes: ground truth"
    assert f"61.2 PoseTrack AP of the final readout {facts}" in text
    assert "14.3 PoseTrack AP of a control" in text
    assert "46.9 points above it" in text
    assert "42 % of its clean PoseTrack AP is kept" in text
    assert "Promoted AP 61.2 is above <50> There was no champion before." in text
    assert "Black ✓ holds It leads by 7.5 points." in text
    assert "Motion blur ✗ does not hold It loses to the single frame." in text
    assert "Chosen for training: train.learning_rate = 0.0003" in text
    assert "the last fifth is held out" in text
    assert "box 52.1, heatmap times box 61.2 (chosen)." in text
    assert "MOTA with the annotated people's own tracks, which says how well poses fit" in text
    assert "their numbers, and those by motion, are in stress/curves.csv" in text
    assert "1.34 M parameters, 0.25 G multiply-adds a clip, 53 clips/s" in text


def test_tables_hold_the_numbers_of_the_inputs(page: str) -> None:
    found = rows(page)

    assert [
        "final",
        "61.2",
        "61.2",
        MISSING,
        MISSING,
        MISSING,
        MISSING,
        "61.2",
        "61.2",
        "33.3",
        "66.6",
        "-12.5",
    ] in found
    assert [
        "mean pose",
        "14.3",
        "14.3",
        MISSING,
        MISSING,
        MISSING,
        MISSING,
        "14.3",
        "14.3",
        "33.3",
        "66.6",
        MISSING,
    ] in found
    assert ["single frame", "59.0", "44.0", "34.0", "58.3"] in found
    assert ["everyone", "9", "61.2", "12.5", "71.5", "8.8", "0.35"] in found
    assert ["size [192, 384)", "9", "61.2", "12.5", "71.5", "8.8", "0.35"] in found
    assert "000001_drawn" not in [row[0].removeprefix("size ") for row in found if len(row) == 7]
    assert ["000001_drawn", "61.2"] in found
    assert ["val", "1", "1", "9", "1,234"] in found
    assert ["t0", "finished", "30", "55.5", "0.0003"] in found


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    reader = read(page)

    outside = [one for one in reader.references if not one.startswith(("#", "data:"))]
    assert outside == []
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]*", "", page)
    assert set(re.findall(r"url\(([^)]{1,4})", page)) == {match[:4] for match in re.findall(r"url\((#[^)]*)", page)}
    assert "<script" not in page
    assert "@import" not in page


def test_every_reference_within_the_page_arrives(page: str) -> None:
    reader = read(page)

    wanted = {one[1:] for one in reader.references if one.startswith("#")} | set(re.findall(r"url\(#([^)]*)\)", page))
    assert wanted <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))


def test_every_image_has_words(page: str) -> None:
    assert read(page).images_without_words == []
    assert "The skeleton of temporal:" in page


def test_the_same_inputs_give_the_same_page(page: str, sources: Sources, config: ReportConfig, tmp_path: Path) -> None:
    write_page(tmp_path / "out" / "index.html", read_inputs(sources), config)

    assert (tmp_path / "out" / "index.html").read_text(encoding="utf-8") == page


def test_without_intervals_the_page_speaks_of_none(page: str, sources: Sources, config: ReportConfig) -> None:
    metrics = read_json(sources.evaluation / "metrics.json")
    metrics["intervals"]["ap"]["final"] |= {"low": None, "high": None}
    write_json(sources.evaluation / "metrics.json", metrics)
    for path, ends in (
        (sources.stress / "curves.csv", ["ap_low", "ap_high"]),
        (sources.evaluation / "pckh.csv", ["low", "high"]),
    ):
        table = pd.read_csv(path)
        table[ends] = float("nan")
        table.to_csv(path, index=False)

    assert page.count("95 % interval") == 2
    assert "95 % interval" not in render(read_inputs(sources), config)


def test_controls_that_a_run_did_not_have_are_named_below_the_claims(sources: Sources, config: ReportConfig) -> None:
    path = sources.stress / "metrics.json"
    told = "Controls that the claim asks for and this run did not have: cut, single stream. Without them the claim is"

    assert told in render(read_inputs(sources), config)
    write_json(path, read_json(path) | {"controls_missing": []})
    assert "Controls that the claim asks for" not in render(read_inputs(sources), config)


def test_weights_that_pretraining_started_from_are_called_random_only_where_they_were(
    page: str, sources: Sources, config: ReportConfig
) -> None:
    write_json(sources.pretrain / "run.json", read_json(sources.pretrain / "run.json") | {"start": "5eed"})
    inputs = read_inputs(sources)

    assert "trained first, from random weights" in page
    assert "trained first, from imported weights" in render(inputs, config)
    assert "random weights" not in render(inputs, config)
    assert dict(lineage(inputs))["pretraining started from"] == "weights, sha256 5eed"


def test_lineage_names_model_run_code_and_data(sources: Sources) -> None:
    found = dict(lineage(read_inputs(sources)))

    assert found["model"] == "dsn-pose, version 7"
    assert found["MLflow run"] == "r1"
    assert found["git commit"] == "0123abc with uncommitted changes"
    assert found["weights, sha256"] == "feed"
    assert found["data, train"] == "beef"
    assert found["data, val"] == "cafe"
    assert found["boxes of the evaluation"] == "ground truth"
    assert found["boxes of the stress test"] == "interpolated from the neighbouring labelled frames"
    assert "data, select" not in found


def test_claims_that_hold_come_first() -> None:
    verdict = {"a": {"holds": "undecided", "text": "x"}, "b_c": {"holds": "holds", "text": "y"}}

    assert claims({"verdict": verdict}) == [("b c", "holds", "y"), ("a", "undecided", "x")]


@pytest.mark.parametrize(("state", "title"), [("holds", "The claim holds"), ("undecided", "The claim is undecided")])
def test_one_finding_for_all_kinds_is_said_once(sources: Sources, config: ReportConfig, state: str, title: str) -> None:
    inputs = read_inputs(sources)
    verdict = {kind: {"holds": state, "text": ""} for kind in ("black", "motion_blur")}

    page = render(dataclasses.replace(inputs, stress=inputs.stress | {"verdict": verdict}), config)

    assert f"<h1>{title}</h1>" in page


def test_a_model_that_was_not_promoted_is_not_said_to_be(sources: Sources, config: ReportConfig) -> None:
    write_json(sources.promotion, read_json(sources.promotion) | {"promoted": False, "champion_before": "6"})

    text = words(render(read_inputs(sources), config))

    assert "Not promoted AP 61.2 is above <50> Champion before: version 6." in text


def test_without_a_search_the_page_says_so(sources: Sources, config: ReportConfig) -> None:
    (sources.tune / "trials.csv").write_text("trial,status,step,select/pck_final\n", encoding="utf-8")
    write_json(sources.tune / "best.json", {"chosen": {}, "trials": 0})

    assert "No search was made" in words(render(read_inputs(sources), config))


def test_a_page_without_pictures_says_why(sources: Sources) -> None:
    write_json(sources.stress / "examples" / "examples.json", [])
    people = pd.read_parquet(sources.index / "people.parquet")
    people["keypoints"] = [[*row[:-1], 0.0] for row in people["keypoints"]]  # nobody's right ankle is labelled
    people.to_parquet(sources.index / "people.parquet")
    config = ReportConfig(best=1, median=0, worst=0, min_joints=15, examples=2, trials=0)

    text = words(render(read_inputs(sources), config))

    assert "Nobody has that many labelled joints." in text
    assert "No examples were kept." in text


@pytest.mark.parametrize(("name", "stage"), REQUIRED)
def test_a_missing_input_is_refused_by_name(sources: Sources, name: str, stage: str) -> None:
    (sources.index.parent / name).unlink()

    with pytest.raises(Refusal, match=f"dvc repro {stage}") as refusal:
        read_inputs(sources)

    assert Path(name).parts[-2 if "final" in name else -1] in str(refusal.value)


def test_a_missing_picture_of_an_example_is_refused(sources: Sources, config: ReportConfig) -> None:
    gone = next((sources.stress / "examples").glob("*-000-a.jpg"))
    gone.unlink()

    with pytest.raises(Refusal, match=gone.name):
        render(read_inputs(sources), config)


@pytest.mark.parametrize(("key", "value"), [("best", -1), ("trials", -2), ("min_joints", 0)])
def test_impossible_counts_are_refused(config: ReportConfig, key: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{key}: got {value}"):
        dataclasses.replace(config, **{key: value})
