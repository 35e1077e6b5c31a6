"""``detail``: finer maps, by closed forms and through ``compute_cams``."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.centre_taps import SIZE, centre_taps
from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import ImageNetwork, Nonlinear, clip, seeded
from tests.support.odd_layers import Tokens
from video_cam import UsageError, compute_cams, upsample
from video_cam.attribution.detail import Evidence, geometric_mean, layer_evidence, times_share
from video_cam.attribution.path_gradients import input_attribution
from video_cam.choice_names import DETAIL_NAMES, LAYER_METHOD_NAMES
from video_cam.layers.alignment import CellCentres, onto_centres

DETAILED = [name for name in DETAIL_NAMES if name != "none"]
CELLS = CellCentres(np.arange(2.0), np.arange(3.0), np.arange(3.0))


@pytest.fixture(scope="module")
def nonlinear() -> nn.Module:
    return seeded(Nonlinear).eval()


def cams(network: nn.Module, x: Tensor, **options):
    options = {"layers": ["layer3"], "targets": [1], "align": "half-pixel", **options}
    return compute_cams(network, x, **options)


def test_evidence_is_layercam_of_averaged_gradients_for_and_against():
    A, G = (torch.randn(2, 4, 2, 3, 3, dtype=torch.float64) for _ in range(2))
    A = A.abs()
    constant = G.mean((2, 3, 4), keepdim=True).expand_as(G)  # averaging changes nothing
    found = layer_evidence(A, constant, (2, 3, 4), CELLS)
    torch.testing.assert_close(found.positive, (constant.clamp(min=0) * A).sum(1))
    torch.testing.assert_close(found.negative, (constant.clamp(max=0) * -A).sum(1))
    one = torch.zeros(1, 1, 2, 3, 3, dtype=torch.float64)
    one[0, 0, 0, 1, 1] = 18
    found = layer_evidence(torch.ones_like(one), one, (2, 3, 4), CELLS)
    assert found.positive[0, 0, 1, 1] == found.positive[0, 1, 1, 1] == 1  # of 2 x 3 x 3 cells
    found = layer_evidence(torch.ones_like(one), one, (3, 4), CELLS)
    assert found.positive[0, 0, 1, 1] == 2 and found.positive[0, 1, 1, 1] == 0


def test_the_geometric_mean_has_the_sign_and_the_unit_of_the_map():
    values = torch.tensor([[[[16.0, -4.0, 2.0, -4.0, 0.0]]]])
    for_it = torch.tensor([[[[54.0, 9.0, 27 / 4, 9.0, 9.0]]]])
    against = torch.tensor([[[[9.0, 54.0, 9.0, 27 / 4, 9.0]]]])
    evidence = [Evidence(for_it, against, CELLS)] * 2
    # Shares 1 1 1; 1 1 1; 1/8 1/8 1/8; 1 1/8 1/8; 0.
    expected = torch.tensor([[[[16.0, -4.0, 2.0, -1.0, 0.0]]]])
    torch.testing.assert_close(geometric_mean(values, evidence), expected)
    doubled = [Evidence(5 * for_it, 5 * against, CELLS) for _ in evidence]
    torch.testing.assert_close(geometric_mean(2 * values, doubled), 2 * expected)


def test_a_sample_without_evidence_has_no_refined_map():
    values = torch.tensor([[[[16.0, -4.0]]]])
    nothing = Evidence(torch.zeros_like(values), torch.zeros_like(values), CELLS)
    assert geometric_mean(values, [nothing]).abs().max() == 0
    assert geometric_mean(0 * values, [nothing]).abs().max() == 0


def test_a_share_of_an_attribution_is_of_the_samples_own_maximum():
    values = torch.tensor([3.0, -3.0]).reshape(2, 1, 1, 1).expand(2, 1, 1, 2)
    attribution = torch.tensor([[1.0, 4.0], [0.0, 0.0]]).reshape(2, 1, 1, 2)
    expected = torch.tensor([[0.75, 3.0], [0.0, 0.0]]).reshape(2, 1, 1, 2)
    torch.testing.assert_close(times_share(values, attribution), expected)


@pytest.mark.parametrize("detail", DETAILED)
@pytest.mark.parametrize("family", ["same", "valid"])
def test_the_map_of_one_bright_voxel_is_at_that_voxel(detail, family):
    network = centre_taps(family)
    place = (15, 23, 31)  # one that every layer takes
    place = tuple(p + (1 if family == "same" else 0) for p in place)
    x = torch.zeros(1, 3, *SIZE)
    x[(0, slice(None), *place)] = 1
    [cam] = compute_cams(network, x, layers=["last"], targets=[0], detail=detail)
    volume = upsample(cam, SIZE)[0]
    peak = np.unravel_index(int(volume.argmax()), SIZE)
    assert np.abs(np.subtract(peak, place)).max() <= (0 if detail == "layers" else 1)
    if detail == "layers":
        assert (cam.values > 0).sum() == 1


@pytest.mark.parametrize("detail", DETAILED)
def test_every_method_keeps_order_signs_scores_and_gets_the_finer_grid(nonlinear, detail):
    x, methods = clip(), LAYER_METHOD_NAMES
    methods = [name for name in methods if name != "cam"]
    plain = cams(nonlinear, x, layers=["layer3", "layer2"], methods=methods, targets=[1, None])
    finer = cams(
        nonlinear, x, layers=["layer3", "layer2"], methods=methods, targets=[1, None], detail=detail
    )
    grid = (4, 6, 5) if detail == "layers" else (4, 12, 10)
    for before, after in zip(plain, finer, strict=True):
        assert (before.layer, before.method) == (after.layer, after.method)
        assert before.detail == "none" and after.detail == detail
        assert torch.equal(before.scores, after.scores)
        assert after.values.shape[1:] == after.centres.grid == grid
        assert after.values.dtype == torch.float32 and after.values.isfinite().all()
        # Signs are those of the map itself, interpolated.
        enlarged = onto_centres(before.values.double(), before.centres, after.centres)
        clear = enlarged.abs() > 1e-6 * enlarged.abs().amax()
        assert (enlarged * after.values)[clear].min() >= 0


@pytest.mark.parametrize("detail", DETAILED)
def test_a_score_with_the_other_sign_has_the_other_map(nonlinear, detail):
    x = clip()
    [of_score] = cams(nonlinear, x, targets=[lambda out: out[:, 1]], detail=detail)
    [against] = cams(nonlinear, x, targets=[lambda out: -out[:, 1]], detail=detail)
    torch.testing.assert_close(against.values, -of_score.values)


@pytest.mark.parametrize("detail", DETAILED)
def test_a_clip_has_the_same_map_alone_and_in_a_batch(nonlinear, detail):
    x = clip(batch=4)
    [together] = cams(nonlinear, x, detail=detail)
    alone = [cams(nonlinear, x[i : i + 1], detail=detail)[0].values for i in range(4)]
    torch.testing.assert_close(together.values, torch.cat(alone))


@pytest.mark.parametrize("detail", DETAILED)
def test_the_network_is_left_as_found(detail):
    network = seeded(Nonlinear).train()
    before = state_of(network)
    cams(network, clip(), detail=detail)
    assert_same_state(before, network)


@pytest.mark.parametrize("detail", DETAILED)
def test_moved_and_flipped_clips_are_averaged_on_the_finer_grid(nonlinear, detail):
    [cam] = cams(nonlinear, clip(), detail=detail, aug_smooth=True, aug_shift=1)
    assert cam.values.shape[1:] == cam.centres.grid and cam.values.isfinite().all()


def test_gradients_pooled_per_frame_keep_frames_apart():
    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv3d(3, 4, (1, 3, 3), (1, 2, 2), (0, 1, 1))
            self.second = nn.Conv3d(4, 4, (1, 3, 3), (1, 2, 2), (0, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x).relu()).relu().mean((3, 4)).transpose(1, 2)

    [cam] = compute_cams(
        seeded(Frames),
        clip(size=(6, 12, 12)),
        layers=["second"],
        targets=[lambda out: out[:, 2, 0]],
        pooling="frame",
        detail="layers",
        align="half-pixel",
    )
    assert cam.values[:, 2].abs().max() > 0
    assert cam.values[:, [0, 1, 3, 4, 5]].abs().max() == 0


@pytest.mark.parametrize("detail", DETAILED)
def test_images_are_clips_of_one_frame(detail):
    x = torch.randn(2, 3, 30, 20, generator=torch.Generator().manual_seed(0)).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its only layer has no finer one
        [cam] = compute_cams(seeded(ImageNetwork), x, layers=["conv"], targets=[0], detail=detail)
    assert cam.values.shape[:2] == (2, 1)


def test_detail_of_the_input_is_the_map_of_the_layers_times_a_share(nonlinear):
    x = clip()
    for layer, finer in (("layer3", True), ("layer1", False)):
        [plain], [found] = (
            cams(nonlinear, x, layers=[layer], detail=detail) for detail in ("none", "input")
        )
        attribution = input_attribution(nonlinear, x, 1, found.input_size)
        enlarged = onto_centres(plain.values, plain.centres, found.centres)
        product = times_share(enlarged, attribution).float()
        assert torch.allclose(found.values, product, atol=1e-6) != finer
        if finer:
            [of_layers] = cams(nonlinear, x, layers=[layer], detail="layers")
            enlarged = onto_centres(of_layers.values, of_layers.centres, found.centres)
            product = times_share(enlarged, attribution)
        pair = torch.stack([found.values.flatten(), product.flatten()])
        assert torch.corrcoef(pair)[0, 1] > 0.95


def test_a_layer_without_finer_ones_keeps_its_map_and_says_so(nonlinear):
    with pytest.warns(UserWarning, match=r"no layer before 'layer1' has a finer grid"):
        [cam] = cams(nonlinear, clip(), layers=["layer1"], detail="layers")
    [plain] = cams(nonlinear, clip(), layers=["layer1"])
    assert torch.equal(cam.values, plain.values)


def test_detail_of_the_input_is_that_of_layers_times_the_attribution(nonlinear):
    x = clip(size=(8, 32, 32))
    of_layers, of_input = (cams(nonlinear, x, detail=one)[0] for one in ("layers", "input"))
    attribution = input_attribution(nonlinear, x, 1, tuple(x.shape[2:]))
    expected = onto_centres(of_layers.values, of_layers.centres, of_input.centres)
    expected = times_share(expected, attribution.to(expected)).flatten()
    # Not equal, as roots are taken on the finer grid.
    pair = torch.stack([of_input.values.flatten(), expected])
    assert torch.corrcoef(pair.double())[0, 1] > 0.98
    alone = onto_centres_of_none(nonlinear, x, of_input).flatten()
    assert torch.corrcoef(torch.stack([pair[0], alone]).double())[0, 1] < 0.95


def onto_centres_of_none(network: nn.Module, x: Tensor, other) -> Tensor:
    """The map without detail, times the attribution."""
    [plain] = cams(network, x, layers=["layer3"])
    values = onto_centres(plain.values, plain.centres, other.centres)
    return times_share(values, input_attribution(network, x, 1, tuple(x.shape[2:])).to(values))


def test_tokens_get_the_detail_of_the_input_and_say_that_layers_have_none():
    torch.manual_seed(0)
    network, x = Tokens().eval(), clip(size=(8, 32, 32)).float()
    [cam] = compute_cams(network, x, layers=["block"], targets=[0], detail="input")
    assert cam.values.shape[1:] == (8, 32, 32)
    with pytest.warns(UserWarning, match="no layer before 'block' has a finer grid"):
        compute_cams(network, x, layers=["block"], targets=[0], detail="layers")


@pytest.mark.parametrize("detail", DETAILED)
def test_without_a_gradient_maps_are_interpolated_and_the_reason_is_said(detail):
    class Detached(Nonlinear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach()

    with pytest.warns(UserWarning, match="no finer detail than the layer's"):
        [cam] = cams(seeded(Detached), clip(), methods=["eigencam"], detail=detail)
    [plain] = cams(seeded(Detached), clip(), methods=["eigencam"])
    expected = upsample(plain, cam.centres.grid)
    torch.testing.assert_close(cam.values, expected)


def test_an_unknown_detail_is_refused(nonlinear):
    with pytest.raises(UsageError, match="detail"):
        cams(nonlinear, clip(), detail="fine")
