"""Runs over clips with known classes: the gallery's answers, and two runs side by side."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import run_video_cam
from models3d.motion3d import load_trained
from tests.support.browser import wait_until
from tests.support.command import BUNDLED
from tests.support.labelled_clips import (
    damaged_network,
    predictions,
    truth_of,
    write_labelled_clips,
)
from video_cam.batch.overview import write_overview
from video_cam.cli import compare

NUM_CLIPS = 12
QUICK = (*BUNDLED, "--detail", "none", "--no-check", "--max-keyframes", "1", "--align", "nearest")
READY = "#count:not(:empty)"


@dataclass(frozen=True)
class Runs:
    """Two runs over the same clips, and what was to be expected of them.

    Attributes:
        whole, damaged: their output folders; printed: what the second one printed.
        truth, of_whole, of_damaged: clip -> class, true and as each network predicts it.
    """

    whole: Path
    damaged: Path
    printed: str
    truth: dict[str, str]
    of_whole: dict[str, str]
    of_damaged: dict[str, str]

    @property
    def changed(self) -> dict[str, str]:
        """Clip -> how it changed, of those whose prediction did."""
        found = {}
        for clip, truth in self.truth.items():
            before, after = self.of_whole[clip], self.of_damaged[clip]
            if before != after:
                kinds = {before: "broken", after: "fixed"}
                found[clip] = kinds.get(truth, "changed")
        return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Of the bundled network and a damaged copy of it."""
    folder = tmp_path_factory.mktemp("runs")
    clips = write_labelled_clips(folder / "clips", NUM_CLIPS)
    network, damaged = load_trained(), damaged_network()
    torch.save(damaged.state_dict(), folder / "damaged.pth")
    common = ("--clip", str(folder / "clips"), "--truth", "folders", *QUICK)
    printed = []
    with pytest.MonkeyPatch.context() as patch:
        for name, more in (("whole", ()), ("damaged", ("--weights", str(folder / "damaged.pth")))):
            lines: list[str] = []
            patch.setattr("video_cam.cli.console._write", lambda _, line, to=lines: to.append(line))
            assert run_video_cam.main([*common, *more, "--output-dir", str(folder / name)]) == 0
            printed.append("\n".join(lines))
    return Runs(
        folder / "whole",
        folder / "damaged",
        printed[-1],
        {f"{clip.parent.name}/{clip.name}": truth_of(clip) for clip in clips},
        predictions(network, clips),
        predictions(damaged, clips),
    )


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_and_the_summaries_say_what_is_right(runs: Runs) -> None:
    rows = {row["clip"]: row for row in rows_of(runs.damaged)}
    assert {clip: row["truth"] for clip, row in rows.items()} == runs.truth
    assert {clip: row["predicted"] for clip, row in rows.items()} == runs.of_damaged
    for clip, row in rows.items():
        is_right = runs.of_damaged[clip] == runs.truth[clip]
        assert row["correct"] == str(is_right).lower() and row["state"] == "done"
        assert row["folder"] == clip.removesuffix(".mp4")
        summary = json.loads((runs.damaged / row["folder"] / "summary.json").read_text())
        assert summary["truth"]["correct"] == is_right
        assert (summary["truth"]["rank"] == 1) == is_right


def test_the_last_paragraph_has_the_accuracy(runs: Runs) -> None:
    num_right = sum(runs.of_damaged[clip] == truth for clip, truth in runs.truth.items())
    assert 0 < num_right < NUM_CLIPS
    accuracy = f"accuracy {100 * num_right / NUM_CLIPS:.1f} %: {num_right} of {NUM_CLIPS} right"
    assert f"ground truth: {accuracy} (95 % Wilson interval" in runs.printed


def shown(page: Any) -> list[str]:
    """The paths of the clips that are drawn."""
    return page.locator("#clips th .path").all_inner_texts()


def test_a_cell_of_the_matrix_lists_its_clips(runs: Runs, open_page: Any) -> None:
    page = open_page((runs.damaged / "index.html").as_uri(), ready=READY)
    pairs: dict[tuple[str, str], set[str]] = {}
    for clip, truth in runs.truth.items():
        pairs.setdefault((truth, runs.of_damaged[clip]), set()).add(clip)
    cells = page.locator(".matrix button")
    found = {
        (cell.get_attribute("data-truth"), cell.get_attribute("data-predicted")): cell
        for cell in cells.all()
    }
    assert {pair: int(cell.inner_text()) for pair, cell in found.items()} == {
        pair: len(clips) for pair, clips in pairs.items()
    }
    for pair, cell in found.items():
        cell.click()
        assert set(shown(page)) == pairs[pair] and cell.get_attribute("aria-pressed") == "true"
    page.click("#clear")
    assert len(shown(page)) == NUM_CLIPS
    assert page.locator(".matrix [aria-pressed=true]").count() == 0


def test_errors_come_first_and_the_most_confident_of_them(runs: Runs, open_page: Any) -> None:
    page = open_page((runs.damaged / "index.html").as_uri(), ready=READY)
    score_of = {row["clip"]: float(row["score"]) for row in rows_of(runs.damaged)}
    wrong = [clip for clip in runs.truth if runs.of_damaged[clip] != runs.truth[clip]]
    right = [clip for clip in runs.truth if clip not in wrong]
    expected = sorted(wrong, key=lambda clip: -score_of[clip])
    assert shown(page) == [*expected, *sorted(right, key=lambda clip: score_of[clip])]
    page.select_option("#answer", "wrong")
    assert shown(page) == expected
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_headings_of_empty_columns_stay_whole_words(tmp_path: Path, open_page: Any) -> None:
    truth = {"name": "spin", "class_id": 6, "label": "spin", "rank": 1, "correct": True}
    measured = {"num_classes": 9, "measures": {"mass": 0.7}, "map": None, "note": ""}
    row = {"clip": "a.mp4", "status": "done", "truth": truth | measured}
    write_overview(tmp_path, [row | {"prediction": {"label": "spin", "score": 1.0}}])
    page = open_page(
        (tmp_path / "index.html").as_uri(), ready=READY, viewport={"width": 390, "height": 800}
    )
    [height] = page.locator(".wide:not(:has(.matrix)) thead:visible").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().height)"
    )
    assert height < 80


def test_a_comparison_names_exactly_the_clips_that_changed(
    runs: Runs, open_page: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    output_dir = runs.whole.parent
    words = [str(runs.whole), str(runs.damaged), "--output-dir", str(output_dir)]
    assert compare.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"fixed", "broken"} & set(runs.changed.values())
    named = dict(reversed(line.split(": ")[:2]) for line in lines[:-1])
    assert named == runs.changed
    assert f"{len(runs.changed)} of {NUM_CLIPS} predictions changed" in lines[-1]
    page = open_page((output_dir / "index.html").as_uri(), ready=READY)
    assert set(shown(page)[: len(named)]) == set(named)
    for change in ("changed", "fixed", "broken", "same"):
        page.select_option("#change", change)
        expected = {
            clip
            for clip in runs.truth
            if runs.changed.get(clip, "same") == change
            or (change == "changed" and clip in runs.changed)
        }
        assert set(shown(page)) == expected
    _players_are_in_step(page)


def _players_are_in_step(page: Any) -> None:
    page.select_option("#change", "changed")
    page.locator("#clips th button").first.click()
    page.evaluate("videoCamCompare.goTo(3)")
    wait_until(page, "document.getElementById('videos').dataset.frame === '3'")
    page.click("#forward")
    wait_until(page, "document.getElementById('videos').dataset.frame === '4'")
    times = page.evaluate("[...document.querySelectorAll('video')].map((v) => v.currentTime)")
    assert times == pytest.approx([4.5 / 16] * 2, abs=1e-3)
    assert page.inner_text("#place") == "frame 5 of 16 · 0:00.25"
    # The curve has a time axis: ticks at every tenth of the second that the clip takes.
    row = page.evaluate(
        """() => {
          const { width, height } = document.getElementById("curve");
          const context = document.getElementById("curve").getContext("2d");
          return [...context.getImageData(0, height - AXIS_HEIGHT + 2, width, 1).data];
        }"""
    )
    ticks = [x for x, opacity in enumerate(row[3::4]) if opacity > 200]
    width = len(row) / 4
    assert ticks == [round(i * width / 10) for i in range(10)]
