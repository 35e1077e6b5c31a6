"""A run that asks for many videos says so before it starts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import video_cam
from tests.support.command import BUNDLED, Run
from tests.support.input_methods import quick_input_method
from tests.support.media import write_clip
from tests.support.reporting import RecordingReporter
from video_cam import Classifier
from video_cam.batch import local
from video_cam.batch.jobs import ClipRecord, Job, failed_record
from video_cam.batch.network import load_explainer
from video_cam.batch.request_size import (
    MANY_VIDEOS,
    announcement,
    costs_of_tests,
    maps_per_clip,
    passes_announcement,
)
from video_cam.batch.run_config import ModelConfig, RunConfig
from video_cam.config import ExplainConfig
from video_cam.utils.reporter import Reporter

QUICK = {"check": False, "align": "receptive-field"}


def first_score(output):
    return output[:, 0]


@pytest.mark.parametrize(
    "config",
    [
        ExplainConfig(),
        ExplainConfig(layers=("layer[12]", "layer3"), methods=("gradcam", "layercam"), top_k=3),
        ExplainConfig(layers=("layer3", "layer4"), fuse="mean", class_ids=("spin", 1, "grow")),
        ExplainConfig(methods=("gradcam", "hirescam"), targets=(first_score,)),
        ExplainConfig(targets=(first_score,), class_ids=(0,), conv_backcount=(1, 2)),
        ExplainConfig(top_k=100, worst=True, class_scope="window"),
        ExplainConfig(methods=("gradcam", "occlusion"), layers=("layer4", "layer3"), top_k=2),
        ExplainConfig(methods=("occlusion",)),
    ],
    ids=[
        *("default", "many", "fused", "function", "function and class", "windows' own"),
        *("with the input", "the input alone"),
    ],
)
def test_the_videos_are_counted_as_the_maps_are_made(
    config: ExplainConfig, bundled: Classifier, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_input_method(monkeypatch, "occlusion")
    options = {name: getattr(config, name) for name in config.__dataclass_fields__}
    explanation = video_cam.explain(clip, bundled, **options | QUICK)
    assert math.prod(maps_per_clip(bundled, config).values()) == len(explanation.maps)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "small.mp4", 4)


def test_a_large_request_is_announced_in_one_line(bundled: Classifier) -> None:
    large = ExplainConfig(layers=("layer[1-4]",), methods=("gradcam", "layercam", "hirescam"))
    assert announcement(bundled, large, 1200) == (
        "12 annotated videos for each clip (4 layers x 3 methods x 1 class), 14,400 for 1,200 "
        "clips: every frame is drawn and encoded 12 times; name fewer layers, methods or classes "
        "for fewer videos"
    )
    alone = announcement(bundled, large, 1)
    assert alone is not None and "for each clip (4 layers x 3 methods x 1 class): every" in alone
    assert announcement(bundled, ExplainConfig(top_k=MANY_VIDEOS), 1200) is None
    classes = announcement(bundled, ExplainConfig(top_k=MANY_VIDEOS + 1), 1)
    assert classes is not None and "(1 layer x 1 method x 9 classes)" in classes


def test_many_forward_passes_are_announced_in_one_line(bundled: Classifier) -> None:
    both = ExplainConfig(methods=("occlusion", "rise", "gradcam"), masks=2000)
    assert passes_announcement(bundled, both) == (
        "occlusion takes 343 and rise takes at most 2,000 forward passes for each window"
    )
    moved = ExplainConfig(methods=("rise",), mask_error=0, masks=100, aug_shift=1)
    assert passes_announcement(bundled, moved) == "rise takes 300 forward passes for each window"
    assert passes_announcement(bundled, ExplainConfig()) is None
    sane = ExplainConfig(methods=("occlusion",), sanity=True)
    assert (passes_announcement(bundled, sane) or "").endswith("--sanity as many for each part")


def test_the_cost_of_the_motion_test_is_said_before_it_runs(bundled: Classifier) -> None:
    assert costs_of_tests(bundled, ExplainConfig()) == []
    assert costs_of_tests(bundled, ExplainConfig(motion_test=True)) == [
        "motion test: at most 24 forward passes for each clip, in the window where the score is "
        "highest; 16 of them with a map"
    ]
    [many] = costs_of_tests(bundled, ExplainConfig(motion_test=True, top_k=9, num_frames=4))
    assert "at most 48 forward passes for each clip (the first 4 of 9 classes, 12 each)" in many
    [smooth] = costs_of_tests(bundled, ExplainConfig(motion_test=True, aug_shift=1))
    assert "at most 56 forward passes for each clip and 32 more for maps, in" in smooth
    [without_map] = costs_of_tests(bundled, ExplainConfig(motion_test=True, methods=("fem",)))
    assert without_map.endswith(
        "at most 24 forward passes for each clip, in the window where the score is highest"
    )
    both = costs_of_tests(bundled, ExplainConfig(motion_test=True, frame_test=True))
    assert len(both) == 2 and both[1].startswith("frame test: at most 150 forward passes")
    reporter = RecordingReporter()
    tested = ExplainConfig(motion_test=True)
    load_explainer(RunConfig(ModelConfig("motion3d"), tested, num_clips=1), reporter)
    assert reporter.texts("info")[-1].startswith("motion test: at most 24 forward passes")


def test_it_is_said_when_the_network_is_loaded_and_before_any_clip() -> None:
    reporter = RecordingReporter()
    explain = ExplainConfig(top_k=9, methods=("occlusion",))
    config = RunConfig(ModelConfig("motion3d"), explain, num_clips=2)
    load_explainer(config, reporter)
    [_, passes, message] = reporter.texts("info")
    assert passes.startswith("occlusion takes")
    assert message.startswith("9 annotated videos for each clip") and "18 for 2 clips" in message


def test_the_command_counts_its_clips(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = []

    def fail_all(jobs: Sequence[Job], config: RunConfig, _: Reporter) -> Iterator[ClipRecord]:
        configs.append(config)
        return (failed_record(job, "not run") for job in jobs)

    monkeypatch.setattr(local, "run_local", fail_all)
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    assert run("--clip", tmp_path, *BUNDLED)[0] == 1
    assert [config.num_clips for config in configs] == [2]
