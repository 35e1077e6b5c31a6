"""The command ``export gif|mp4|html``: frames, times, sizes, and what is refused."""

from __future__ import annotations

import re
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import run_video_cam
import video_cam
from tests.support.command import assert_one_error_line
from tests.support.explanations import make_explanation
from tests.support.media import audio_packets, moving_square, stamps_seconds, write_clip
from tests.support.pages import UNEVEN
from video_cam import Classifier, Explanation, UsageError
from video_cam.batch.verify import Counts, verify
from video_cam.explanation.sampling import FrameSpan
from video_cam.rendering.excerpt import frames_between

BARE = slice(16, 48)  # rows of pictures of 64 rows between the places of a caption


@pytest.fixture(scope="module")
def uneven(bundled: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a clip of 40 frames at uneven times, with sound."""
    folder = tmp_path_factory.mktemp("uneven")
    clip = write_clip(
        folder / "odd name é.mp4",
        moving_square(40, 96, 64),
        time_base=Fraction(1, 1000),
        pts=UNEVEN,
        audio="aac",
    )
    explanation = video_cam.explain(clip, bundled, layers=["layer4", "layer2"], detail="none")
    video_cam.render(clip, explanation, folder / "out" / "odd", max_keyframes=2)
    return folder / "out" / "odd"


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The command in an empty folder: words -> exit status, stdout, stderr."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*words: object) -> tuple[int, str, str]:
        try:
            status = run_video_cam.main(["export", *map(str, words)])
        except SystemExit as exit_:  # raised by argparse
            status = int(exit_.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_an_mp4_has_the_frames_times_and_sound_of_the_span(uneven: Path, export) -> None:
    status, said, errors = export("mp4", uneven, "--frames", 10, 19)
    assert (status, errors) == (0, "")
    path = Path("exports/odd_name_é_000010-000019.mp4")
    assert said.startswith(f"wrote {path}, ")
    explanation = Explanation.load(uneven / "explanation.npz")
    stamps = [explanation.timeline.pts_seconds(i) for i in range(10, 21)]
    assert stamps_seconds(path) == [stamp - stamps[0] for stamp in stamps[:-1]]
    with av.open(str(uneven / "annotated.mp4")) as whole, av.open(str(path)) as part:
        expected = [frame.to_ndarray(format="rgb24") for frame in whole.decode(video=0)][10:20]
        found = [frame.to_ndarray(format="rgb24") for frame in part.decode(video=0)]
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one.astype(int) - other)[BARE].mean() < 3
    assert 0 < len(audio_packets(path)) < len(audio_packets(uneven / "annotated.mp4"))


def test_a_gif_has_the_frames_and_times_of_the_span(uneven: Path, export) -> None:
    timeline = Explanation.load(uneven / "explanation.npz").timeline
    begin, end = (float(timeline.pts_seconds(i)) for i in (10, 20))
    words = ["--from", begin, "--to", end, "--layout", "side-by-side", "--output", "x.gif"]
    assert export("gif", uneven, *words)[0] == 0
    with Image.open("x.gif") as gif, av.open(str(uneven / "annotated.mp4")) as whole:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (10, (192, 64), 0)
        frames = [frame.to_ndarray(format="rgb24") for frame in whole.decode(video=0)][10:20]
        shown_at = [Fraction(0)]
        for number, expected in enumerate(frames):
            gif.seek(number)
            shown_at.append(shown_at[-1] + Fraction(round(gif.info["duration"]), 1000))
            overlay = np.asarray(gif.convert("RGB"))[:, 96:]
            assert np.abs(overlay.astype(int) - expected)[BARE].mean() < 4, number
    for number, instant in enumerate(shown_at):
        exact = timeline.pts_seconds(10 + number) - timeline.pts_seconds(10)
        assert abs(instant - exact) <= Fraction(5, 1000)


def test_the_map_that_is_asked_for_is_drawn(uneven: Path, export) -> None:
    pictures = []
    for number in (0, 1):
        words = ["--frames", 12, 12, "--map", number, "--output", f"{number}.mp4"]
        assert export("mp4", uneven, *words)[0] == 0
        with av.open(f"{number}.mp4") as container:
            (frame,) = container.decode(video=0)
            pictures.append(frame.to_ndarray(format="rgb24"))
    names = ["annotated.mp4", next(p.name for p in uneven.glob("annotated_2*.mp4"))]
    expected = []
    for name in names:
        with av.open(str(uneven / name)) as whole:
            frames = [frame.to_ndarray(format="rgb24") for frame in whole.decode(video=0)]
            expected.append(frames[12].astype(int))
    away = [[np.abs(p - e)[BARE].mean() for e in expected] for p in pictures]
    assert away[0][0] < 0.7 * away[0][1] and away[1][1] < 0.7 * away[1][0]


def test_a_gif_that_would_be_too_large_is_scaled_down_or_refused(uneven: Path, export) -> None:
    words = ["gif", uneven, "--layout", "strip", "--output", "x.gif"]
    words += ["--frames", 0, 9, "--max-size"]
    status, _, errors = export(*words, "30K")
    assert status == 0 and Path("x.gif").stat().st_size <= 30 * 2**10
    assert errors.startswith("warning: scaled down from 288x64 to ") and "--max-size" in errors
    before = Path("x.gif").read_bytes()
    status, _, errors = export(*words, "1K", "--overwrite")
    assert_one_error_line(status, errors, 2, "a shorter span, mp4 instead of gif, or a larger")
    assert Path("x.gif").read_bytes() == before


def test_one_file_loads_nothing_and_the_folder_stays_as_it_was(uneven: Path, export) -> None:
    status, _, errors = export("html", uneven)
    assert (status, errors) == (0, "")
    text = Path("exports/odd.html").read_text("utf-8")
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text) == []
    nonces = set(re.findall(r'<(?:script|style) nonce="([^"]*)"', text))
    assert len(nonces) == 1 and f"script-src 'nonce-{nonces.pop()}'" in text.replace("&#39;", "'")
    assert list(verify(uneven, Counts())) == []


def test_a_page_that_would_be_too_large_gets_a_smaller_video_or_is_refused(
    uneven: Path, export
) -> None:
    assert export("html", uneven, "--output", "whole.html")[0] == 0
    size = Path("whole.html").stat().st_size
    limit = f"{(size - 200) / 2**10:.2f}K"
    status, _, errors = export("html", uneven, "--max-size", limit)
    assert status == 0 and Path("exports/odd.html").stat().st_size < size - 180
    assert "of 96x64 pixels and is compressed more, to stay below" in errors
    status, _, errors = export("html", uneven, "--max-size", "9K", "--overwrite")
    assert_one_error_line(
        status, errors, 2, "without its video, and 9 kB are allowed: give a larger"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gif", "--frames", 30, 40], "--frames 30 40: expected two frames from 0 to"),
        (["gif", "--from", 99], "no frame between 99.0 s and the end"),
        (["gif", "--from", 1, "--to", 0.5], "the end, 0.5 s, comes before the start, 1.0 s"),
        (["gif", "--from", 0, "--frames", 1, 2], "both choose the span"),
        (["gif", "--map", 2], "--map 2: expected a number from 0 to 1"),
        (["gif", "--output", "x.mp4"], "must end with .gif"),
        (["gif", "--output", "taken.gif"], "exists: choose another --output"),
        (["gif", "--clip", "taken.gif"], "taken.gif"),
        (["gif", "--colormap", "x"], "unknown colormap 'x'"),
    ],
)
def test_a_mistake_is_one_line(words, message: str, uneven: Path, export) -> None:
    Path("taken.gif").touch()
    status, _, errors = export(words[0], uneven, *words[1:])
    assert_one_error_line(status, errors, 1 if "--clip" in words else 2, message)
    assert [path.name for path in Path().rglob("*.*")] == ["taken.gif"]


@pytest.mark.parametrize("kind", ["gif", "npz"])
def test_an_empty_path_is_not_the_default(kind: str, uneven: Path, export) -> None:
    status, _, errors = export(kind, uneven, "--output", "")
    assert status == 2 and "argument --output: the path is empty" in errors.splitlines()[-1]
    assert not list(Path().iterdir())


def test_a_span_by_times_is_not_shortened_to_what_was_explained() -> None:
    """The explanation is of frames 2 to 4, from 0.2 s to 0.5 s, of a clip of 6 frames."""
    part = make_explanation(span=(2, 5))
    assert frames_between(part, None, None) == FrameSpan(2, 5)
    assert frames_between(part, 0.3, None) == FrameSpan(3, 5)
    assert frames_between(part, 0.2, 0.5) == FrameSpan(2, 5)
    for times in ((0.1, None), (None, 0.6), (0.1, 0.6), (None, 0.1), (0.5, None)):
        with pytest.raises(UsageError, match=r"explanation runs from 0\.200 s to 0\.500 s"):
            frames_between(part, *times)
    assert frames_between(make_explanation(), 0.1, 99.0) == FrameSpan(1, 6)


@pytest.mark.parametrize(("option", "text"), [("--from", "nan"), ("--to", "inf")])
def test_a_time_that_is_no_number_of_seconds_is_refused(option, text, uneven: Path, export) -> None:
    status, _, errors = export("gif", uneven, option, text)
    message = f"argument {option}: '{text}' is not a number of seconds"
    assert status == 2 and errors.splitlines()[-1].endswith(message)


def test_a_file_in_the_folder_of_results_is_refused(uneven: Path, export) -> None:
    words = ["mp4", uneven, "--output", uneven / "annotated.mp4", "--overwrite"]
    status, _, errors = export(*words)
    assert_one_error_line(status, errors, 2, "lies in the folder of results")
    assert list(verify(uneven, Counts())) == []


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("missing", "no such folder: "),
        ("..", "holds no results of one clip"),
        ("s3://bucket/v", "is an address, and export reads folders"),
    ],
)
def test_a_wrong_folder_is_one_line(folder: str, message: str, export) -> None:
    status, _, errors = export("gif", folder)
    assert_one_error_line(status, errors, 2, message)


def test_a_run_has_the_folder_of_a_clip_named(uneven: Path, export) -> None:
    status, _, errors = export("gif", uneven.parent)
    assert_one_error_line(status, errors, 2, f"as '{uneven}'")


def test_a_clip_that_was_moved_is_asked_for(uneven: Path, export, tmp_path: Path) -> None:
    explanation = Explanation.load(uneven / "explanation.npz")
    moved = tmp_path / "elsewhere.mp4"
    shutil.move(explanation.clip.path, moved)
    try:
        status, _, errors = export("gif", uneven, "--frames", 3, 4)
        assert_one_error_line(status, errors, 2, "give --clip PATH")
        assert export("gif", uneven, "--frames", 3, 4, "--clip", moved)[0] == 0
    finally:
        shutil.move(moved, explanation.clip.path)


def test_another_clip_is_refused(uneven: Path, export, sample_clip: Path) -> None:
    status, _, errors = export("gif", uneven, "--frames", 3, 4, "--clip", sample_clip)
    assert_one_error_line(status, errors, 2, "is not the clip that was explained")


def test_a_damaged_page_is_one_line(uneven: Path, export, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(uneven, copy)
    (copy / "page" / "data.js").write_text("const DATA = {;\n")
    status, _, errors = export("html", copy)
    assert_one_error_line(status, errors, 2, "its page is damaged")
    (copy / "page" / "data.js").unlink()
    status, _, errors = export("html", copy)
    assert_one_error_line(status, errors, 2, "cannot be exported")
