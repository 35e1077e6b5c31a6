"""How long and large clips are, read in a process of its own: a file may hang or crash a reader."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from video_cam.config import LimitsConfig
from video_cam.errors import VideoCamError

MAX_SECONDS = 60  # for one clip


@dataclass(frozen=True)
class ClipFacts:
    """What annotations of a clip must agree with.

    Attributes:
        end_seconds: when its last frame disappears, on the clock of its time stamps.
        num_frames: how many frames it has.
        width, height: in upright pixels.
    """

    end_seconds: float
    num_frames: int
    width: int
    height: int


def facts_of(
    clips: Sequence[Path], limits: LimitsConfig, video_stream: int | None
) -> dict[Path, ClipFacts]:
    """Read the headers of clips. One that cannot be read is left out: it fails by itself later."""
    facts: dict[Path, ClipFacts] = {}
    waiting = list(clips)
    while waiting:
        num_read = _read_some(waiting, limits, video_stream, facts)
        waiting = waiting[num_read + 1 :]  # the one after those hung or crashed
    return facts


def _read_some(
    clips: Sequence[Path],
    limits: LimitsConfig,
    video_stream: int | None,
    facts: dict[Path, ClipFacts],
) -> int:
    """Read clips until one takes too long or ends the process; returns how many were read."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_send_facts, args=(sending, clips, limits, video_stream))
    process.start()
    sending.close()
    try:
        for number, clip in enumerate(clips):
            if not receiving.poll(MAX_SECONDS):
                return number
            try:
                found = receiving.recv()
            except (EOFError, OSError):
                return number
            if found is not None:
                facts[clip] = found
        return len(clips)
    finally:
        receiving.close()
        process.kill()
        process.join()


def _send_facts(
    connection: Connection, clips: Sequence[Path], limits: LimitsConfig, video_stream: int | None
) -> None:
    from video_cam.video.clip import Clip

    with suppress(OSError, KeyboardInterrupt):  # the other end is closed, or the user interrupts
        for path in clips:
            facts = None
            with suppress(VideoCamError, ValueError, OSError):
                clip = Clip.open(path, limits, video_stream=video_stream)
                end, info = float(clip.timeline.end_seconds), clip.info
                facts = ClipFacts(end, clip.timeline.num_frames, info.width, info.height)
            connection.send(facts)
