"""--list-layers: blocks with attention and their tokens."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

import video_cam
from tests.support.attention_networks import Divided, Factorised, Joint
from tests.support.networks import PoolLinear, seeded
from video_cam.cli.attention_table import attention_table


def lines(build: type, **options: object) -> list[str]:
    network = seeded(build, **options).float()
    model = video_cam.load_model(network, num_frames=4, size=(12, 12))
    return list(attention_table(model, (4, 12, 12)))


def test_blocks_are_listed_with_their_heads_keys_and_tokens() -> None:
    _, head, first, second = lines(Joint)
    assert head.startswith("attention (attention-rollout, attention-gradient, legrad)")
    assert first.split()[:5] == ["blocks.0", "2", "heads,", "73", "keys"]
    assert first.endswith("tokens folded as 2x6x6 behind 1 extra token")
    assert second.startswith("blocks.1 ")


def test_each_attention_of_a_block_has_a_line() -> None:
    _, _, time, space, *_ = lines(Divided)
    assert time.split()[:6] == ["blocks.0.in_time", "2", "heads,", "36", "x", "2"]
    assert space.split()[:6] == ["blocks.0.in_space", "2", "heads,", "2", "x", "36"]
    _, _, frames, moments = lines(Factorised)
    assert frames.endswith("tokens folded as 4x6x6 behind 1 extra token")
    assert moments.endswith("4 cells in time alone")


def test_columns_are_in_line_whatever_the_names() -> None:
    inside = nn.Sequential(OrderedDict(a_name_longer_than_the_column_of_most=seeded(Joint).float()))
    model = video_cam.load_model(inside, num_frames=4, size=(12, 12))
    _, heading, *rows = attention_table(model, (4, 12, 12))
    assert len({row.index("tokens") for row in (heading, *rows)}) == 1
    assert len({row.index("2 heads") for row in rows}) == 1


def test_a_network_without_attention_has_no_lines() -> None:
    assert lines(PoolLinear) == []
