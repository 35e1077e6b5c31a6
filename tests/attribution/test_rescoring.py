"""What Ablation-CAM and Score-CAM have in common: batches, the network's state, mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from torch import Tensor

from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import clip, seeded
from tests.support.replay_networks import Residual, eval_network
from tests.support.rescoring import ablation_weights, row_counts, score_of, score_weights
from video_cam import UsageError

WEIGHTS = pytest.mark.parametrize("weights", [ablation_weights, score_weights])


@WEIGHTS
def test_batch_size_limits_the_rows_of_a_pass(weights: Callable) -> None:
    network, reported = eval_network(Residual), []

    @contextmanager
    def progress(stage: str, total: int) -> Iterator[Callable[[int], None]]:
        yield reported.append
        assert sum(reported) == total == 10

    stem, fc = row_counts(network, "stem"), row_counts(network, "fc")
    weights(network, clip(), "layer2.conv2", score_of(0), batch_size=3, progress=progress)
    assert fc == [2, 3, 2, 3, 2]  # the recorded pass, then five channels of each sample
    assert stem == ([2] if weights is ablation_weights else fc)  # ablation replays the rest only


@WEIGHTS
@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(weights: Callable, fails: bool) -> None:
    network = seeded(Residual).train()
    network.layer2.eval()
    network.fc.bias.requires_grad_(False)
    network(clip()).sum().backward()
    attributes = [dict(vars(module)) for module in network.modules()]
    before, x = state_of(network), clip()

    def score(outputs: Tensor, sample: int) -> Tensor:
        if fails and sample == 1:
            raise ZeroDivisionError
        return outputs[:, 0]

    if fails:
        with pytest.raises(ZeroDivisionError):
            weights(network, x, "layer2", score)
    else:
        assert not weights(network, x, "layer2", score).is_inference()
    assert_same_state(before, network)
    assert [dict(vars(module)) for module in network.modules()] == attributes
    assert x.equal(clip())


@WEIGHTS
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layer": "layer9"}, "did you mean"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"unpack": lambda output: output[:, 0]}, "unpack made"),
        ({"score": lambda outputs, sample: outputs.sum()}, "score made ()"),
    ],
)
def test_a_mistake_gets_one_clear_line(weights: Callable, options: dict, words: str) -> None:
    options = {"layer": "layer2", "score": score_of(0)} | options
    with pytest.raises(UsageError) as caught:
        weights(eval_network(Residual), clip(), **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
