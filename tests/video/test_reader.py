"""Frames come in order, in ranges, converted only when asked for; damage costs single frames."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from av import VideoFrame

from tests.support import media
from tests.support.media import read_all, read_frames
from video_cam.errors import ClipError, UsageError
from video_cam.video import pixels
from video_cam.video.container import VideoSource
from video_cam.video.reader import FrameReader
from video_cam.video.scan import probe

B_FRAMES = {"bf": "3", "b_strategy": "0"}


def test_frames_come_in_presentation_order(tmp_path) -> None:
    pictures = [np.full((48, 64, 3), 40 + 20 * i, np.uint8) for i in range(10)]
    path = media.write_clip(tmp_path / "a.mp4", pictures, options=B_FRAMES)
    brightness = [frame.rgb().mean() for frame in read_frames(path)]
    assert brightness == pytest.approx([40 + 20 * i for i in range(10)], abs=4)


def test_a_range_returns_only_its_frames(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 20)
    assert [f.index for f in read_frames(path, 5, 8)] == [5, 6, 7]
    assert [f.index for f in read_frames(path, 18)] == [18, 19]
    assert list(read_frames(path, 3, 3)) == []
    with FrameReader(path, stop_index=6) as frames:
        assert len(list(frames)) == frames.num_decoded == 6


def test_frames_after_the_range_are_not_decoded(tmp_path, monkeypatch) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 200, options={"bf": "0"})
    decoded = []
    decode = VideoSource.decode

    def recording(self, packet):
        frames = decode(self, packet)
        decoded.extend(frames)
        return frames

    monkeypatch.setattr(VideoSource, "decode", recording)
    assert len(list(read_frames(path, 3, 6))) == 3
    assert len(decoded) < 60  # a decoder with several threads works on some frames in advance


@pytest.mark.parametrize(("start", "stop"), [(5, 4), (-1, None)])
def test_a_wrong_range_is_refused(tmp_path, start, stop) -> None:
    with pytest.raises(UsageError, match=rf"\[{start}, {stop}\) are no range"):
        FrameReader(tmp_path / "a.mp4", start, stop)


def test_a_reader_can_be_read_again_and_has_no_timeline_before(tmp_path) -> None:
    frames = FrameReader(media.write_clip(tmp_path / "a.mp4", 5))
    with pytest.raises(UsageError, match="iterate"):
        _ = frames.timeline
    assert next(iter(frames)).index == 0
    assert [f.index for f in frames] == [0, 1, 2, 3, 4]
    assert frames.num_decoded == 5


def test_a_second_iteration_ends_the_first(tmp_path) -> None:
    frames = FrameReader(media.write_clip(tmp_path / "a.mp4", 5))
    first = iter(frames)
    next(first)
    assert next(iter(frames)).index == 0
    assert list(first) == []  # its file is closed


def test_only_frames_whose_pixels_are_asked_for_are_converted(tmp_path, monkeypatch) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 12)
    converted = []
    to_rgb = pixels.to_rgb

    def counting(picture, *levels):
        converted.append(picture.pts)
        return to_rgb(picture)

    monkeypatch.setattr(pixels, "to_rgb", counting)
    shown = [frame.rgb() for frame in read_frames(path) if frame.index in (3, 7)]
    assert len(shown) == len(converted) == 2


def test_frames_are_released_as_the_reader_moves_on(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 60)
    alive: weakref.WeakSet = weakref.WeakSet()
    most = 0
    for frame in read_frames(path):
        alive.add(frame)
        most = max(most, len(alive))
    assert most <= 2  # the current one, and the last one until the loop variable is assigned


def test_pictures_are_released_without_the_garbage_collector(tmp_path) -> None:
    """A decoded picture in a reference cycle would stay for hundreds of frames more."""
    path = media.write_clip(tmp_path / "a.mp4", 40)
    gc.collect()
    gc.disable()
    try:
        for frame in read_frames(path):
            frame.rgb()
        del frame
        left = [held for held in gc.get_objects() if type(held) is VideoFrame]
    finally:
        gc.enable()
    assert len(left) <= 1  # the first one, whose orientation is asked for


def test_pictures_that_change_size_get_the_size_of_the_first(tmp_path) -> None:
    large = media.write_clip(tmp_path / "large.ts", 4)
    small = media.write_clip(tmp_path / "small.ts", [media.corners(32, 24)] * 4)
    both = tmp_path / "both.ts"
    both.write_bytes(large.read_bytes() + small.read_bytes())
    pictures = [frame.rgb() for frame in read_frames(both)]
    assert [picture.shape for picture in pictures] == [(48, 64, 3)] * 8
    assert media.corner_names(pictures[-1]) == ("red", "green", "blue", "white")


@pytest.mark.parametrize("damaged", [[20], [57], [20, 21, 58]])
def test_damaged_packets_cost_only_their_own_frames(tmp_path, damaged) -> None:
    options = {"g": "1"}  # every frame is a key frame and needs no other
    path = media.write_clip(tmp_path / "a.mp4", 60, options=options)
    media.damage_packets(path, damaged)
    info, scanned = probe(path)
    frames = read_all(path)
    assert info.num_frames == 60
    assert frames.num_decoded == 60 - len(damaged)
    assert frames.num_damaged == len(damaged)
    kept = [stamp for i, stamp in enumerate(scanned.pts) if i not in damaged]
    assert frames.timeline.pts.tolist() == kept


def test_damage_is_counted_while_reading(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 200, options={"g": "1"})
    media.damage_packets(path, [20, 180])
    with FrameReader(path) as reader:
        for frame in reader:
            if frame.index == 100:
                break
        assert reader.num_damaged == 1


def test_a_clip_of_which_nothing_decodes(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 5)
    media.damage_packets(path, range(5))
    with pytest.raises(ClipError, match="no frame can be decoded"):
        probe(path)
    with pytest.raises(ClipError, match="no frame can be decoded"):
        list(read_frames(path))
