"""How many windows fit into memory in one forward pass, found before the network runs."""

from __future__ import annotations

from collections.abc import Sequence

from video_cam.errors import ClipError
from video_cam.layers.pass_memory import pass_bytes
from video_cam.layers.trace import example
from video_cam.models.classifier import Classifier
from video_cam.video.clip import Clip
from video_cam.video.memory import reading_bytes

KERNELS = 2.0  # kernels take memory of their own: see ``pass_bytes``
GIB = 2**30


def fitting_batch(
    clip: Clip,
    model: Classifier,
    layers: Sequence[str],
    size: Sequence[int],
    wanted: int,
    to_input: bool = False,
) -> tuple[int, str | None]:
    """The number of windows in one forward pass, at most ``wanted``.

    Only on a CPU, where the operating system ends a process that takes too much. An accelerator
    says that its memory does not suffice, and the batch is halved then.

    Args:
        clip: whose pictures take a part of the memory.
        layers: the layers whose gradients are computed; none for passes without gradients.
        size: (T, H, W) of one window.
        to_input: whether gradients at the input are computed, too.

    Returns:
        The number, and a sentence for the result's notes where memory made it smaller.

    Raises:
        ClipError: where not even one window fits.
    """
    wanted = model.batch(wanted)
    needed = None
    if model.device.type == "cpu":
        x = example(model.module, size).requires_grad_(to_input)
        needed = pass_bytes(model.module, x, layers, model.identity)
    if needed is None:
        return wanted, None
    needed_gib = KERNELS * max(needed, 1) / GIB
    free_gib = (clip.memory_budget - reading_bytes(clip.info.pictures, clip.buffers)) / GIB
    fitting = int(min(wanted, free_gib // needed_gib))
    if fitting == wanted:
        return wanted, None
    sizes = (
        f"a window of {size[0]} frames of {size[2]}x{size[1]} pixels takes about "
        f"{needed_gib:.2f} GiB of memory in the network, and {max(free_gib, 0):.2f} GiB may be used"
    )
    if fitting < 1:
        raise ClipError(
            f"{sizes}: set a smaller --size or --num-frames, another --layer, or raise --max-memory"
        )
    return fitting, f"{sizes}: {wanted} at a time would not fit, so batches hold {fitting}"
