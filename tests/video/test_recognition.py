"""Clips are recognised by their content, other files are not taken for clips."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.media import write_clip, write_sound
from video_cam.video import recognition
from video_cam.video.recognition import is_clip_file


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {}),
        ("a.mkv", {}),
        ("a.avi", {"codec": "mpeg4"}),
        ("a.ts", {"codec": "mpeg2video"}),
        ("a.m2ts", {}),
        ("a.mpg", {"codec": "mpeg1video"}),
        ("a.vob", {"codec": "mpeg2video"}),
        ("a.mxf", {"codec": "mpeg2video"}),
        ("a.nut", {}),
        ("a.y4m", {"codec": "rawvideo"}),
        ("a.h264", {}),
        ("a.hevc", {"codec": "libx265"}),
        ("a.m1v", {"codec": "mpeg1video"}),
        ("a.m4v", {"codec": "mpeg4"}),
        ("a.flv", {"codec": "flv"}),
        ("a.wmv", {"codec": "wmv2"}),
        ("a.ogg", {"codec": "libvpx"}),
        ("a.gif", {"codec": "gif", "pix_fmt": "bgr8"}),
        ("a.ivf", {"codec": "libvpx-vp9"}),
        ("a.rm", {"codec": "rv10"}),
    ],
)
def test_a_video_is_a_clip_whatever_its_name(tmp_path, name, options) -> None:
    path = write_clip(tmp_path / name, 30, **options)
    assert is_clip_file(path.rename(tmp_path / "recording.x1"))


def test_dv_is_a_clip(tmp_path) -> None:
    frames = [np.zeros((576, 720, 3), np.uint8)] * 2
    path = write_clip(tmp_path / "a.dv", frames, codec="dvvideo")
    assert is_clip_file(path)


def write_others(folder: Path) -> None:
    """Files that stand beside clips."""
    (folder / "text").write_text("a line\n" * 200)
    (folder / "table").write_text("clip,class\na.mp4,1\n")
    (folder / "data").write_text(json.dumps({"a": [1, 2]}))
    (folder / "empty").touch()
    (folder / "zeros").write_bytes(bytes(5000))
    (folder / "random").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "packed").write_bytes(gzip.compress(bytes(5000)))
    torch.save({"weights": torch.zeros(9)}, folder / "weights")
    with zipfile.ZipFile(folder / "archive", "w") as archive:
        archive.writestr("a.txt", "text")
    np.save(folder / "features.npy", np.zeros((10, 512), np.float32))
    np.save(folder / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    Image.new("RGB", (8, 6)).save(folder / "picture", format="PNG")
    Image.new("RGB", (8, 6)).save(folder / "icon", format="ICO")
    (folder / "photo.heic").write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(90))
    write_sound(folder / "sound.mp4")
    (folder / "start.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(50))


def test_other_files_are_no_clips(tmp_path) -> None:
    write_others(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 16
    assert [name for name in names if is_clip_file(tmp_path / name)] == []


def test_most_other_files_are_not_given_to_ffmpeg(tmp_path, monkeypatch) -> None:
    write_others(tmp_path)
    asked: list[str] = []
    monkeypatch.setattr(recognition, "_has_video", lambda path: asked.append(path.name))
    for path in tmp_path.iterdir():
        is_clip_file(path)
    assert sorted(asked) == ["sound.mp4", "start.mp4"]


def test_arrays_of_pictures_and_dicom_are_clips(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5, 8, 10, 3), np.uint8))
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM" + bytes(20))
    assert is_clip_file(tmp_path / "a.npy") and is_clip_file(tmp_path / "IM0001")


def test_what_cannot_be_read_is_no_clip(tmp_path) -> None:
    assert not is_clip_file(tmp_path / "gone")
    assert not is_clip_file(tmp_path)
