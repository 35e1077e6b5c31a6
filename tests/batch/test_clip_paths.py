"""The clips of a folder: by their names, and by their content where the name says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.media import write_clip
from video_cam.batch import clip_paths
from video_cam.batch.clip_paths import OTHER_SUFFIXES, VIDEO_SUFFIXES, clips_at
from video_cam.batch.fingerprint import fingerprint
from video_cam.batch.inputs import folder_names
from video_cam.config import RenderConfig
from video_cam.video.images import IMAGE_SUFFIXES


def names_at(path: Path) -> list[str]:
    return [clip.name for clip in clips_at(str(path))]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mxf", {"codec": "mpeg2video"}),
        ("a.vob", {"codec": "mpeg2video"}),
        ("a.h264", {}),
        ("a.nut", {}),
        ("a.y4m", {"codec": "rawvideo"}),
    ],
)
def test_recordings_of_cameras_and_tools_are_clips_of_a_folder(tmp_path, name, options) -> None:
    write_clip(tmp_path / name, 3, **options)
    assert names_at(tmp_path) == [name]


def test_a_video_without_a_known_suffix_is_found_and_other_files_are_not(tmp_path) -> None:
    write_clip(tmp_path / "a.mp4", 3).rename(tmp_path / "recording.xyz")
    write_clip(tmp_path / "b.mp4", 3).rename(tmp_path / "no suffix")
    write_clip(tmp_path / "c.mp4", 3).rename(tmp_path / ".hidden")
    for name in ("labels", "readme.txt", "weights.pth", "table.csv"):
        (tmp_path / name).write_text("text")
    assert names_at(tmp_path) == ["no suffix", "recording.xyz"]


def test_files_of_known_names_are_not_opened(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(clip_paths, "is_clip_file", lambda path: pytest.fail(f"{path} was opened"))
    for suffix in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *OTHER_SUFFIXES):
        (tmp_path / f"a{suffix}").write_bytes(b"x")
    assert len(clips_at(str(tmp_path))) == len(VIDEO_SUFFIXES) + len(IMAGE_SUFFIXES)


def test_two_sequences_of_images_are_two_clips(tmp_path) -> None:
    for name in ("a_0001.png", "a_0002.png", "b_0001.png", "b_0002.png"):
        (tmp_path / name).touch()
    clips = clips_at(str(tmp_path))
    assert clips == [tmp_path / "a_%d.png", tmp_path / "b_%d.png"]
    assert folder_names(clips) == ["a", "b"]
    assert clips_at(str(tmp_path / "a_%04d.png")) == [tmp_path / "a_%04d.png"]


def test_a_changed_image_changes_the_fingerprint_of_its_sequence(tmp_path) -> None:
    for name in ("a_1.png", "a_2.png", "b_1.png"):
        (tmp_path / name).touch()
    clip = tmp_path / "a_%d.png"
    before = fingerprint(clip, {}, RenderConfig())
    (tmp_path / "b_1.png").write_text("x")
    assert fingerprint(clip, {}, RenderConfig()) == before
    (tmp_path / "a_2.png").write_text("x")
    assert fingerprint(clip, {}, RenderConfig()) != before
