"""How a clip's own frame rate and that of the network's input fit each other."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from video_cam.config import ExplainConfig
from video_cam.explanation.sampling import FrameSpan
from video_cam.video.timeline import Timeline

# From so many samples on for each picture of a clip, the network is given successive pictures: a
# window would show few pictures, and many windows only one.
MOST_REPEATS = 4
FAST_RATE = 100  # frames per second; clips with more are slow motion, as a rule


def own_rate(timeline: Timeline, span: FrameSpan) -> Fraction | None:
    """Frames per second as most frames of the span have it, None for a single frame."""
    steps = np.diff(timeline.pts[span.first : span.stop])
    return None if not steps.size else 1 / (int(np.median(steps)) * timeline.time_base)


def lapse_rate(
    timeline: Timeline, span: FrameSpan, network_rate: Fraction, config: ExplainConfig
) -> Fraction | None:
    """The span's own rate where the network is given its successive pictures, else None.

    That is so for time lapse, unless the config names a rate.

    Args:
        network_rate: frames per second of the network's input.
    """
    rate = own_rate(timeline, span)
    if rate is None or config.frame_rate is not None or config.sampling == "uniform":
        return None
    return rate if network_rate >= MOST_REPEATS * rate else None


def rate_note(
    timeline: Timeline, span: FrameSpan, network_rate: Fraction, config: ExplainConfig
) -> str:
    """What a reader has to know about the rates, in one line; empty where they are usual."""
    rate = own_rate(timeline, span)
    if rate is None or config.frame_rate is not None or config.sampling == "uniform":
        return ""
    network = _shown(network_rate)
    if lapse_rate(timeline, span, network_rate, config):
        return (
            f"the clip shows a picture every {_shown(1 / rate)} s: the network is given successive "
            f"pictures as if they were {network} per second; --frame-rate {network} keeps real time"
        )
    if rate < FAST_RATE:
        return ""
    return (
        f"the clip has {_shown(rate)} frames per second, and the network is given {network} of "
        f"them, in real time; --frame-rate {_shown(rate)} gives it every frame, as slow motion"
    )


def _shown(value: Fraction) -> str:
    return f"{float(value):.4g}"
