"""What is given in place of a clip's path: what it is, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from video_cam import ClipError
from video_cam.video.addresses import advice_for
from video_cam.video.clip import Clip

KINDS = {
    "https://example.org/v.mp4": "is an address on the web: download the clip",
    "HTTP://example.org/v.mp4": "is an address on the web",
    "s3://bucket/v.mp4": "is an address on other storage: download the clip",
    "file:///clips/v.mp4": "is an address: give the path alone",
    "rtsp://camera/1": "is a live stream, and a clip has an end: record a part to a file",
    "udp://@239.0.0.1:1234": "is a live stream",
    "-": "is standard input, and a clip is read more than once",
    "0": "is a camera, and a clip has an end",
    "/dev/video0": "is a camera",
}


@pytest.mark.parametrize("text", KINDS)
def test_what_is_no_path(text: str) -> None:
    assert (advice_for(text) or "").startswith(KINDS[text])


@pytest.mark.parametrize("text", KINDS)
def test_a_clip_of_a_list_says_the_same(text: str) -> None:
    """As a Path, which makes one slash of two."""
    with pytest.raises(ClipError) as caught:
        Clip.open(Path(text))
    if text != "-":  # as a path, it is the name of a file
        assert KINDS[text][:20] in str(caught.value)


@pytest.mark.parametrize("text", ["v.mp4", "a/b.mp4", "C:\\clips\\v.mp4", "1234", "", "a:b", "--"])
def test_other_texts_are_paths(text: str) -> None:
    assert advice_for(text) is None


def test_a_file_of_such_a_name_is_a_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("0").touch()
    with pytest.raises(ClipError, match="the file is empty"):
        Clip.open("0")
