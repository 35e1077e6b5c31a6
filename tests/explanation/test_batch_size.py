"""Windows in one forward pass: as many as fit into memory, and one line where not even one does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from video_cam import Classifier, ClipError
from video_cam.config import ExplainConfig
from video_cam.explanation import batch_size
from video_cam.explanation.batch_size import KERNELS, fitting_batch
from video_cam.explanation.explainer import explain_clip
from video_cam.layers.pass_memory import pass_bytes
from video_cam.video.clip import Clip
from video_cam.video.memory import reading_bytes

LAYER = "layer4"


@pytest.fixture
def clip(sample_clip: Path) -> Clip:
    return Clip.open(sample_clip)


def size_of(model: Classifier) -> tuple[int, int, int]:
    height, width = model.preprocess.crop
    return model.num_frames, height, width


def with_room_for(windows: float, clip: Clip, model: Classifier) -> Clip:
    """The clip with a budget for this many windows beside its pictures."""
    one = pass_bytes(model.module, torch.empty(1, 3, *size_of(model)), [LAYER])
    assert one is not None
    pictures = reading_bytes(clip.info.pictures, clip.buffers)
    return replace(clip, memory_budget=pictures + windows * KERNELS * one)


@pytest.mark.parametrize(("room", "expected"), [(1.1, 1), (3.5, 3), (4.5, 4), (100, 4)])
def test_as_many_windows_as_fit(
    room: float, expected: int, clip: Clip, bundled: Classifier
) -> None:
    small = with_room_for(room, clip, bundled)
    count, note = fitting_batch(small, bundled, [LAYER], size_of(bundled), 4)
    assert count == expected
    assert (note is None) == (expected == 4)
    if note:
        assert note.endswith(f"4 at a time would not fit, so batches hold {expected}")


def test_one_window_that_does_not_fit_is_one_line(clip: Clip, bundled: Classifier) -> None:
    small = with_room_for(0.9, clip, bundled)
    with pytest.raises(ClipError) as error:
        fitting_batch(small, bundled, [LAYER], size_of(bundled), 4)
    pattern = (
        r"a window of 16 frames of 64x64 pixels takes about \d\.\d\d GiB of memory in the network, "
        r"and \d\.\d\d GiB may be used: set a smaller --size .*--max-memory"
    )
    assert re.fullmatch(pattern, str(error.value))


def test_a_network_that_takes_one_clip_gets_one(clip: Clip, bundled: Classifier) -> None:
    single = replace(bundled, max_batch=1)
    assert fitting_batch(clip, single, [LAYER], size_of(bundled), 4) == (1, None)


def test_a_network_without_an_estimate_gets_what_was_asked_for(
    clip: Clip, bundled: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_size, "pass_bytes", lambda *_: None)
    small = replace(clip, memory_budget=1)
    assert fitting_batch(small, bundled, [LAYER], size_of(bundled), 4) == (4, None)


def test_the_network_is_given_no_more_and_the_result_says_so(
    clip: Clip, bundled: Classifier
) -> None:
    given = []
    hook = bundled.module.register_forward_pre_hook(lambda _, inputs: given.append(len(inputs[0])))
    config = ExplainConfig(layers=(LAYER,), window_stride=4, align="receptive-field")
    try:
        explanation = explain_clip(with_room_for(2.5, clip, bundled), bundled, config)
    finally:
        hook.remove()
    assert max(given) == 2 and sum(given) > 4
    assert sum("batches hold 2" in note.text for note in explanation.notes) == 1
