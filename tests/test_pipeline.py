"""One clip from file to results: what is called, in which order, and what an error leaves."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

import video_cam
from tests.support.explainers import FixedExplainer
from tests.support.explanations import make_explanation
from tests.support.media import write_clip
from video_cam import Classifier, ClipError, Explanation, UsageError
from video_cam.config import ExplainConfig, LimitsConfig, RenderConfig
from video_cam.pipeline import check_options, explain_and_verify, process_clip, verify
from video_cam.rendering.result_folder import clear_remains
from video_cam.utils.progress import silent
from video_cam.video import clip as clip_module
from video_cam.video.clip import Clip
from video_cam.video.memory import BUFFERS, reading_bytes

QUICK = RenderConfig(max_keyframes=1)
GRADIENTS = ExplainConfig(guided=True, smoothgrad=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "small.mp4", 4)


@pytest.fixture(scope="module")
def explanation(bundled: Classifier, clip: Path) -> Explanation:
    return video_cam.explain(clip, bundled)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def explainer(explanation: Explanation) -> FixedExplainer:
    return FixedExplainer(explanation)


def test_the_summary_is_returned_and_written(explainer, clip: Path, out: Path) -> None:
    entries = {"fingerprint": "0123"}
    summary = process_clip(clip, out, explainer, ExplainConfig(), QUICK, summary_entries=entries)
    assert summary["fingerprint"] == "0123" and "guided" not in summary["files"]
    assert (out / "summary.json").is_file() and (out / "annotated.mp4").is_file()
    assert explainer.clips == [str(clip)]


def test_pictures_of_gradients_are_computed_before_rendering_and_moved(
    explainer, clip: Path, out: Path
) -> None:
    stages: list[str] = []
    explainer.write_gradients = lambda *arguments: (
        stages.append("gradients"),
        FixedExplainer.write_gradients(explainer, *arguments),
    )

    def progress(stage: str, total: int):
        stages.append(stage)
        return silent(stage, total)

    summary = process_clip(clip, out, explainer, GRADIENTS, QUICK, progress=progress)
    assert stages == ["explain", "gradients", "render"]
    for kind in ("guided", "smoothgrad"):
        assert summary["files"][kind] == [f"{kind}/000000.png"]
        assert (out / kind / "000000.png").read_bytes() == kind.encode()
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_pictures_of_gradients_are_those_of_the_keyframes(explainer, clip: Path, out: Path) -> None:
    def write_all(_clip, explanation, _config, folder: Path, _progress) -> None:
        (folder / "guided").mkdir()
        for index in range(explanation.timeline.num_frames):
            (folder / "guided" / f"{index:06d}.png").touch()

    explainer.write_gradients = write_all
    summary = process_clip(clip, out, explainer, GRADIENTS, replace(QUICK, max_keyframes=3))
    keyframes = [Path(keyframe["file"]).name for keyframe in summary["keyframes"]]
    assert len(keyframes) == 3
    assert summary["files"]["guided"] == [f"guided/{name}" for name in keyframes]


def test_an_error_leaves_nothing(explainer, clip: Path, out: Path) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no memory")

    explainer.write_gradients = fail
    with pytest.raises(ValueError, match="no memory"):
        process_clip(clip, out, explainer, GRADIENTS, QUICK)
    assert list(out.parent.iterdir()) == []


def test_what_a_killed_process_leaves_is_removed_later(explainer, clip: Path, out: Path) -> None:
    explainer.write_gradients = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    arguments = (clip, out, explainer, GRADIENTS, QUICK)
    process = get_context("fork").Process(target=process_clip, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert [path.name for path in out.parent.iterdir()] != []
    clear_remains(out)
    assert list(out.parent.iterdir()) == []


def test_the_limits_hold(explainer, clip: Path, out: Path) -> None:
    limits = LimitsConfig(max_frames=3)
    with pytest.raises(ClipError, match="more than 3 frames"):
        process_clip(clip, out, explainer, ExplainConfig(), QUICK, limits)
    assert explainer.clips == [] and not out.exists()


def test_other_folders_are_refused_before_the_gradients(explainer, clip: Path, out: Path) -> None:
    explainer.write_gradients = lambda *_: pytest.fail("gradients were computed")
    out.mkdir()
    (out / "thesis.tex").touch()
    with pytest.raises(UsageError, match="holds no results of video_cam"):
        process_clip(clip, out, explainer, GRADIENTS, QUICK)


@pytest.mark.parametrize(
    ("config", "has_check", "has_sanity"),
    [
        (ExplainConfig(check=True), True, False),
        (ExplainConfig(check=False), False, False),
        (ExplainConfig(check=False, sanity=True), False, True),
    ],
)
def test_the_checks_that_are_asked_for(
    config: ExplainConfig, has_check: bool, has_sanity: bool, bundled: Classifier, clip: Path
) -> None:
    explanation = explain_and_verify(Clip.open(clip), bundled, config)
    assert (explanation.check is not None, explanation.sanity is not None) == (
        has_check,
        has_sanity,
    )
    assert explanation.seconds.keys() == {"explain", "check"}


def test_without_being_asked_for_the_check_runs_where_it_is_cheap(
    bundled: Classifier, clip: Path, explanation: Explanation
) -> None:
    def forwards(seconds: float) -> int | None:
        timed = replace(explanation, seconds={"explain": seconds})
        check = verify(Clip.open(clip), bundled, timed, ExplainConfig()).check
        return None if check is None else check["forwards"]

    assert forwards(1e-9) is None
    assert forwards(1e9) == 16


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (ExplainConfig(layers=("layer9",)), "unknown layer"),
        (ExplainConfig(class_ids=("groww",)), "did you mean grow"),
    ],
)
def test_options_that_do_not_fit_the_network(
    config: ExplainConfig, words: str, bundled: Classifier
) -> None:
    check_options(bundled, ExplainConfig(layers=("layer4",), class_ids=("grow", 0)))
    with pytest.raises(UsageError, match=words):
        check_options(bundled, config)


def test_what_cannot_be_drawn_is_not_explained(
    sample_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough_to_read = reading_bytes(Clip.open(sample_clip).info.pictures, BUFFERS[-1])
    monkeypatch.setattr(clip_module, "budget_bytes", lambda limits: enough_to_read)
    explainer = FixedExplainer(make_explanation())
    with pytest.raises(ClipError, match="drawing pictures of this size takes"):
        process_clip(sample_clip, tmp_path / "out", explainer, ExplainConfig(), RenderConfig())
    assert explainer.clips == []
