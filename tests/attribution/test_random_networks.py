"""No map of a random network is wrong without a word: each is right, or is refused."""

from __future__ import annotations

import pytest

from tests.support.generated_networks import generate
from tests.support.judged_networks import REFUSED, RIGHT, WRONG, judge

NETWORKS = 36  # of the 300 that ``python -m benchmarks.truth.random_networks`` judges

# A refusal is right only where axes are in an order that no layout has.
WITH_REFUSALS = (
    "convolutions over time behind space",
    "divided attention",
    "parts of the picture as samples",
)


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_maps_are_right_or_refused(seed: int) -> None:
    one = generate(seed)
    verdicts = dict(judge(one, seed, align="receptive-field"))  # the quicker alignment
    assert WRONG not in verdicts.values(), (one.kind, verdicts)
    if one.kind not in WITH_REFUSALS:
        assert REFUSED not in verdicts.values(), (one.kind, verdicts)
    assert set(verdicts.values()) <= {RIGHT, REFUSED}
