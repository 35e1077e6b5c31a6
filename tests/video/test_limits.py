"""Files that ask for too much are refused; the limits can be raised and lowered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import media
from tests.support.hostile import gif, png_bomb
from video_cam import ClipError
from video_cam.config import LimitsConfig
from video_cam.video.audio import SoundSpan
from video_cam.video.browser_copy import BrowserCopy
from video_cam.video.clip import Clip
from video_cam.video.limits import check_image
from video_cam.video.reader import Frame, FrameReader
from video_cam.video.scan import probe
from video_cam.video.writer import VideoFormat, VideoWriter


def read(path: Path, limits: LimitsConfig) -> int:
    with FrameReader(path, limits=limits) as reader:
        return sum(1 for frame in reader if frame.rgb().size)


OPENERS: dict[str, Callable[[Path, LimitsConfig], object]] = {
    "Clip.open": Clip.open,
    "probe": probe,
    "FrameReader": read,
}


@pytest.mark.parametrize("opener", OPENERS)
def test_a_clip_of_too_many_frames_is_refused(opener: str, tmp_path: Path) -> None:
    clip = gif(tmp_path / "short.gif", 40)
    OPENERS[opener](clip, LimitsConfig(max_frames=40))
    with pytest.raises(ClipError, match="more than 39 frames"):
        OPENERS[opener](clip, LimitsConfig(max_frames=39))


@pytest.mark.parametrize("name", ["a.png", "a.mp4"])
@pytest.mark.parametrize("opener", OPENERS)
def test_pictures_that_are_too_large_are_refused(opener: str, name: str, tmp_path: Path) -> None:
    if name.endswith("png"):
        path = png_bomb(tmp_path / name, 64, 48)
    else:
        path = media.write_clip(tmp_path / name, 3)
    OPENERS[opener](path, LimitsConfig(max_pixels=64 * 48))
    with pytest.raises(ClipError, match=r"64x48 have more than 3071 pixels; .* --max-pixels"):
        OPENERS[opener](path, LimitsConfig(max_pixels=64 * 48 - 1))


def test_a_limit_can_be_raised_beyond_the_one_of_pillow(tmp_path: Path) -> None:
    picture = png_bomb(tmp_path / "black.png", 20_000, 10_000)
    check_image(picture, LimitsConfig(max_pixels=200_000_000))  # Pillow's is 178,956,970
    with pytest.raises(ClipError, match="more than 199999999 pixels"):
        check_image(picture, LimitsConfig(max_pixels=199_999_999))


def test_pictures_that_become_too_large_are_left_out(tmp_path: Path) -> None:
    parts = []
    for size in (64, 640):
        pictures = media.moving_square(10, size, size)
        part = media.write_clip(tmp_path / f"{size}.ts", pictures, codec="mpeg2video")
        parts.append(part.read_bytes())
    clip = tmp_path / "growing.ts"
    clip.write_bytes(b"".join(parts))
    large, small = LimitsConfig(max_pixels=640 * 640), LimitsConfig(max_pixels=64 * 64)
    assert read(clip, large) > read(clip, small) + 5


@pytest.fixture
def grown_clip(tmp_path: Path) -> tuple[Clip, list[Frame]]:
    """A clip whose file was exchanged for a larger one since it was opened, and its frames."""
    path = media.write_clip(tmp_path / "a.mp4", 10, audio="aac")
    clip = Clip.open(path, LimitsConfig(max_pixels=64 * 48))
    frames = list(clip.frames())
    media.write_clip(path, media.moving_square(10, 128, 96), audio="aac")
    return clip, frames


def test_a_clip_passes_its_limits_on(grown_clip) -> None:
    clip, _ = grown_clip
    for use in (lambda: list(clip.frames()), lambda: clip.frames_at([3]), clip.decoded):
        with pytest.raises(ClipError, match="128x96 have more than 3072 pixels"):
            use()


def test_a_browser_copy_has_no_packets_beyond_the_limits(grown_clip, tmp_path: Path) -> None:
    clip, frames = grown_clip
    folder = tmp_path / "out"
    folder.mkdir()
    with BrowserCopy(clip, folder, (0, 10)) as copy:
        for frame in frames:
            copy.write(frame, frame.rgb())
    assert not copy.is_remuxed
    info = Clip.open(copy.path).info
    assert (info.width, info.has_audio) == (64, False)


def test_the_sound_of_a_clip_that_is_too_large_is_left_out(tmp_path: Path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 10, audio="aac")
    for max_pixels, problem in ((64 * 48, ""), (64 * 48 - 1, "more than 3071 pixels")):
        sound = SoundSpan(str(path), limits=LimitsConfig(max_pixels=max_pixels))
        form = VideoFormat(
            64, 48, Clip.open(path).timeline.time_base, Clip.open(path).info.frame_rate
        )
        with VideoWriter(tmp_path / "out.mp4", form, sound) as writer:
            writer.write(media.corners(), 0, 1)
        assert problem in (writer.audio_problem or "")
        assert Clip.open(tmp_path / "out.mp4").info.has_audio == (not problem)
