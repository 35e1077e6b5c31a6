"""--list-layers: the blocks with attention that attention methods follow, and their tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from video_cam.choice_names import ATTENTION_METHOD_NAMES
from video_cam.errors import UsageError
from video_cam.layers.attention_structure import (
    Attention,
    NoAttention,
    find_attention,
)
from video_cam.layers.measured_alignment import drawn_input
from video_cam.models.classifier import Classifier

PARTS_WIDTH = 28  # of "12 heads, 8 x 196 keys"


def attention_table(model: Classifier, size: Sequence[int]) -> Iterator[str]:
    """The lines about attention; none for a network without any.

    Args:
        size: (T, H, W) of the input.
    """
    try:
        structure = find_attention(model.module, drawn_input(0, size).to(model.device, model.dtype))
    except NoAttention:
        return
    except UsageError as error:
        yield ""
        yield f"attention methods do not go with this network: {error}"
        return
    yield ""
    calls = [one for one in structure.calls if one is not None]
    names = [_name(one, calls) for one in calls]
    width = max(map(len, names), default=0)
    heading = f"attention ({', '.join(ATTENTION_METHOD_NAMES)})"
    before_tokens = max(width + 1 + PARTS_WIDTH, len(heading))
    yield f"{heading:{before_tokens}s} tokens of one clip"
    for name, one in zip(names, calls, strict=True):
        parts = f"{name:{width}s} {_parts(one)}"
        yield f"{parts:{before_tokens}s} {structure.stages[one.stage].fold}"


def _name(one: Attention, calls: Sequence[Attention]) -> str:
    if one.queries is None:
        return f"{one.module}, pools"
    return one.module if _shares_its_block(one, calls) else one.block


def _shares_its_block(one: Attention, calls: Sequence[Attention]) -> bool:
    return sum(other.block == one.block for other in calls) > 1


def _parts(one: Attention) -> str:
    """Such as "12 heads, 8 x 196 keys"."""
    keys = len(one.keys) // one.parts
    among = f"{keys} keys" if one.parts == 1 else f"{one.parts} x {keys} keys"
    return f"{one.heads} head{'s'[: one.heads > 1]}, {among}"
