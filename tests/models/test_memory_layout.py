"""Networks that take views of tensors get them contiguous, as from a loader of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import video_cam
from tests.support.odd_layers import Viewing, ViewingImages
from video_cam import load_model
from video_cam.config import ExplainConfig
from video_cam.errors import CheckNotApplicable
from video_cam.metrics.perturbation_check import run_perturbation_check
from video_cam.models.input_layout import InputLayout
from video_cam.models.registry import _runs, _store_channels_last, _store_contiguous
from video_cam.models.spec import USER_NETWORK
from video_cam.video.clip import Clip

OPTIONS = {"num_frames": 8, "size": (16, 16), "frame_rate": 8}


@pytest.mark.parametrize("layout", ["NCTHW", "NTCHW"])
@pytest.mark.parametrize("layer", ["conv", "last"])
def test_a_network_with_views_is_explained(layout: str, layer: str, sample_clip) -> None:
    model = load_model(Viewing(layout == "NTCHW"), layout=layout, **OPTIONS)
    config = {"layers": [layer], "methods": ["gradcam", "ablationcam", "scorecam"]}
    explanation = video_cam.explain(
        sample_clip, model, aug_smooth=True, aug_shift=1, batch_size=2, **config
    )
    assert all(series.values.shape[1:] == (4, 4, 4) for series in explanation.maps)
    try:
        run_perturbation_check(
            Clip.open(sample_clip), model, explanation, ExplainConfig(**config), always=True
        )
    except CheckNotApplicable as error:
        assert "not above 0" in str(error)


@pytest.mark.parametrize("method", ["ablationcam", "scorecam"])
@pytest.mark.parametrize("time_first", [False, True])
def test_several_variants_at_once_of_one_sample(method: str, time_first: bool) -> None:
    """A network is run on several rows of one memory, and on copies where it takes views."""
    network = Viewing(time_first)
    x = torch.randn(2, *((8, 3) if time_first else (3, 8)), 16, 16)
    maps = [
        video_cam.compute_cams(
            network, x, layers=["conv"], methods=[method], targets=[0], batch_size=size
        )[0].values
        for size in (1, 3)
    ]
    torch.testing.assert_close(*maps)


def test_weights_are_stored_channels_last_only_where_the_forward_runs_with_them() -> None:
    crop = replace(USER_NETWORK.preprocess, crop=(16, 16))
    spec = replace(USER_NETWORK, input_layout=InputLayout("frames"), preprocess=crop)
    network = ViewingImages()
    _store_channels_last(network)
    assert not _runs(network, spec)
    _store_contiguous(network)
    assert _runs(network, spec)
