"""What pictures take is estimated, buffers shrink to fit, and what cannot fit is refused."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support import media
from tests.support.command import ROOT
from video_cam import ClipError
from video_cam.config import LimitsConfig
from video_cam.utils.available_memory import resident_bytes
from video_cam.video import memory, reader
from video_cam.video.browser_copy import is_encoded
from video_cam.video.clip import Clip
from video_cam.video.container import open_video
from video_cam.video.memory import (
    BUFFERS,
    FASTEST,
    Drawing,
    Pictures,
    budget_bytes,
    drawing_buffers,
    drawing_bytes,
    reading_buffers,
    reading_bytes,
)
from video_cam.video.writer import VideoFormat, VideoWriter

PICTURES = Pictures(1000, 1500, 10_000)
SMALLEST = BUFFERS[-1]
QUICKLY = {"preset": "ultrafast"}
CHILD = (sys.executable, "-m", "tests.support.drawing_child")
DRAWING = Drawing(1, 1, is_copied=False)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "schedulable_cores", lambda: 2)


def test_what_reading_takes() -> None:
    # One thread: 7 + 2 pictures of the decoder, and 5 bytes per pixel.
    assert reading_bytes(PICTURES, SMALLEST) == 9 * 1500 + 5 * 1000
    # FFmpeg takes one thread more than there are cores.
    assert reading_bytes(PICTURES, FASTEST) == 13 * 1500 + 5 * 1000
    assert reading_bytes(replace(PICTURES, num_frames=2), FASTEST) == 2 * 1500 + 5 * 1000
    assert reading_bytes(replace(PICTURES, decoded_bytes=0), FASTEST) == 12 * 1000


def test_what_drawing_takes() -> None:
    # Three frames on their way, two waiting with source, heat and overlay, one being drawn.
    images = 3 * (1500 + 3000) + 2 * (1500 + 9000) + 9000
    encoder = (22 + 1) * 1000 + 7500
    expected = reading_bytes(PICTURES, SMALLEST) + 1.2 * (images + encoder)
    assert drawing_bytes(PICTURES, DRAWING, SMALLEST) == round(expected)
    # One more picture with heat and overlay, drawn and brought into the encoder's form.
    more = replace(SMALLEST, drawing_threads=2)
    expected += 1.2 * (1500 + 9000 + 9000 + 7500)
    assert drawing_bytes(PICTURES, DRAWING, more) == round(expected)


def test_every_part_of_the_drawing_counts() -> None:
    least = drawing_bytes(PICTURES, DRAWING, SMALLEST)
    for more in (Drawing(2, 1, False), Drawing(1, 3, False), Drawing(1, 1, True)):
        assert drawing_bytes(PICTURES, more, SMALLEST) > least + 20 * 1000
    assert drawing_bytes(replace(PICTURES, num_frames=1), DRAWING, SMALLEST) < least
    for name in (
        *("waiting_frames", "waiting_images", "drawing_threads", "encoder_threads", "lookahead"),
    ):
        larger = replace(SMALLEST, **{name: 9})
        assert drawing_bytes(PICTURES, DRAWING, larger) > least


def test_the_fastest_buffers_that_fit_are_taken() -> None:
    for needed, choose in (
        (lambda b: reading_bytes(PICTURES, b), lambda size: reading_buffers("a", PICTURES, size)),
        (
            lambda b: drawing_bytes(PICTURES, DRAWING, b),
            lambda size: drawing_buffers("a", PICTURES, DRAWING, size),
        ),
    ):
        sizes = [needed(buffers) for buffers in BUFFERS]
        assert sizes == sorted(sizes, reverse=True)
        assert choose(sizes[0]) is FASTEST
        assert needed(choose(sizes[0] - 1)) < sizes[0]
        assert needed(choose(sizes[-1])) == sizes[-1]
        with pytest.raises(ClipError, match=r"^a: .* pictures of this size takes about 0\.00 GiB"):
            choose(sizes[-1] - 1)


def test_a_short_clip_is_decoded_by_one_thread() -> None:
    short = replace(PICTURES, num_frames=memory.SINGLE_THREADED_PIXELS // PICTURES.num_pixels)
    long = replace(short, num_frames=short.num_frames + 1)
    for choose in (
        lambda pictures: reading_buffers("a", pictures, math.inf),
        lambda pictures: drawing_buffers("a", pictures, DRAWING, math.inf),
    ):
        assert choose(short) == replace(FASTEST, decoder_threads=1)
        assert choose(long) is FASTEST


def test_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    monkeypatch.setattr(memory, "resident_bytes", lambda: 300)
    assert budget_bytes(LimitsConfig()) == 500
    assert budget_bytes(LimitsConfig(max_memory=700)) == 400


def test_the_buffers_reach_decoder_and_encoder(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = Clip.open(media.write_clip(tmp_path / "a.mp4", 10))
    assert clip.buffers == replace(FASTEST, decoder_threads=1)
    assert clip.info.decoded_bytes >= 64 * 48 * 3 // 2
    threads = []

    def recording(*arguments: Any, **options: Any) -> Any:
        threads.append(options["num_threads"])
        return open_video(*arguments, **options)

    monkeypatch.setattr(reader, "open_video", recording)
    next(iter(clip.frames()))
    next(iter(replace(clip, buffers=FASTEST).frames()))
    assert [threads.pop(), threads.pop()] == [0, 1]
    small = replace(clip, buffers=SMALLEST)
    assert small.decoded().buffers is SMALLEST
    frame = next(iter(small.frames()))
    assert threads == [1, 1]
    form = VideoFormat(64, 48, Fraction(1, 25), Fraction(25), buffers=SMALLEST)
    with VideoWriter(tmp_path / "b.mp4", form) as writer:
        writer.write(frame.rgb(), 0, 1)
        assert writer._stream.codec_context.thread_count == 1
        writer.write(frame.rgb(), 1, 1)
    # x264 writes its settings into the first packet.
    assert b"threads=1 " in (tmp_path / "b.mp4").read_bytes()
    assert b"rc_lookahead=0" in (tmp_path / "b.mp4").read_bytes() or (
        b"mbtree=0" in (tmp_path / "b.mp4").read_bytes()
    )


def test_a_clip_that_cannot_be_read_in_the_memory_is_refused(tmp_path: Path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", media.moving_square(3, 640, 480))
    limits = LimitsConfig(max_memory=resident_bytes() + 2**20)
    with pytest.raises(ClipError, match=r"a\.mp4: reading pictures .* --max-memory"):
        Clip.open(path, limits)
    limits = LimitsConfig(max_memory=resident_bytes() - 2**20)
    with pytest.raises(ClipError, match=r"--max-memory is less than the \d\.\d\d GiB"):
        Clip.open(path, limits)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "expected"),
    [
        ("a.mp4", "libx264", "yuv420p", False),
        ("b.mp4", "libx264", "yuv444p", True),
        ("a.avi", "mpeg4", "yuv420p", True),
    ],
)
def test_which_clips_are_encoded_for_the_page(name, codec, pix_fmt, expected, tmp_path) -> None:
    path = media.write_clip(tmp_path / name, 3, codec=codec, pix_fmt=pix_fmt)
    assert is_encoded(Clip.open(path)) == expected


def test_an_image_is_encoded_for_the_page(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), media.corners())
    assert is_encoded(Clip.open(path)) and is_encoded(Clip.open(frame_folder(tmp_path / "b")))


def frame_folder(folder: Path) -> Path:
    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), media.corners())
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_drawing_stays_within_its_memory(tmp_path: Path) -> None:
    """Without a bound it would take nearly twice as much."""
    small = media.write_clip(tmp_path / "small.mp4", 6)
    picture = np.full((1024, 1024, 3), 90, np.uint8)
    large = media.write_clip(tmp_path / "large.mp4", [picture] * 14, options=QUICKLY)
    clip = Clip.open(large)
    drawing = Drawing(1, 1, is_encoded(clip))
    # Opening the clip takes a little, too.
    allowed = round(1.1 * drawing_bytes(clip.info.pictures, drawing, SMALLEST))
    done = subprocess.run(
        [*CHILD, str(small), str(large), str(tmp_path), str(allowed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    base, peak = map(int, done.stdout.split())
    assert 0.5 * allowed < peak - base < 1.1 * allowed
