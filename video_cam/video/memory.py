"""How much memory the pictures of a clip take, and buffers that keep within what may be used.

Everything grows with the picture: one of 8192 x 8192 pixels takes 100 MB as the decoder gives it
and 201 MB as RGB, and decoder, threads and encoder hold many of them at a time. The constants were
measured with H.264 and FFV1 in pictures of 4 to 67 megapixels; what was estimated then was 1.1 to
1.35 of what was used. A stream that refers to many earlier pictures takes more: it may refer to 16
of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError
from video_cam.utils.available_memory import available_bytes, resident_bytes
from video_cam.utils.cores import schedulable_cores, usable_cores
from video_cam.utils.names import printable_path

DEFAULT_SHARE = 0.5  # of the memory that is available
RGB = 3  # bytes per pixel
MAX_DECODER_THREADS = 16  # that FFmpeg takes by itself: one more than there are cores, up to this

FRAGMENTATION = 1.2  # freed memory has gaps that other pictures do not fit in

# In pictures as the decoder gives them: what it refers to, sorts and has ready, and per thread.
DECODER_PICTURES = 7
DECODER_PICTURES_PER_THREAD = 2
# In bytes per pixel.
CONVERSION = 5  # to RGB
WIDE_CONVERSION = 14  # with 16 bits in between
IMAGE_READING = 12  # OpenCV decodes an image with and without its transparency
DRAWING = 9  # intermediate images of one overlay
STITCHING = 7.5  # panels side by side, then as the encoder takes them
ENCODER = 22  # the picture it works on and the one it refers to, in x264's several resolutions
ENCODER_PER_THREAD = 1
ENCODER_PER_LOOKAHEAD = 3

# In pixels of all frames: a clip of so few is decoded in 15 ms by one thread, and to start more of
# them, each time that it is read, takes half as long as to decode the shortest clips.
SINGLE_THREADED_PIXELS = 2**22
CORES_PER_DRAWING = 4  # the decoder and the encoder have threads of their own


@dataclass(frozen=True)
class Buffers:
    """How many pictures are worked on at the same time.

    Attributes:
        decoder_threads: 0 leaves the number to FFmpeg.
        waiting_frames: frames that wait between decoding, drawing and encoding.
        waiting_images: images that wait to be saved; two for each keyframe.
        drawing_threads: frames that are drawn at the same time.
        encoder_threads: 0 leaves the number to x264.
        lookahead: frames that the encoder reads in advance, to divide the bits well.
    """

    decoder_threads: int = 0
    waiting_frames: int = 4
    waiting_images: int = 8
    drawing_threads: int = 1
    encoder_threads: int = 0
    lookahead: int = 10  # that of x264's preset "veryfast"


# From the fastest to the smallest.
FASTEST = Buffers(drawing_threads=min(max(usable_cores() // CORES_PER_DRAWING, 1), 4))
BUFFERS = (
    FASTEST,
    Buffers(),
    Buffers(4, 2, 4, 1, 4, 10),
    Buffers(2, 2, 2, 1, 2, 4),
    Buffers(1, 1, 1, 1, 1, 0),
)


@dataclass(frozen=True)
class Pictures:
    """The pictures of a clip.

    Attributes:
        num_pixels: width times height.
        decoded_bytes: of one picture as the decoder gives it; 0 for images.
        num_frames: of the clip; no buffer holds more.
        conversion: bytes per pixel that the conversion of one picture to RGB takes.
    """

    num_pixels: int
    decoded_bytes: int
    num_frames: int
    conversion: int = CONVERSION


@dataclass(frozen=True)
class Drawing:
    """What is drawn of each frame.

    Attributes:
        num_maps: how many videos are written.
        num_panels: how many images of the source's size stand side by side in each.
        is_copied: whether the clip itself is encoded once more, for the page.
    """

    num_maps: int
    num_panels: int
    is_copied: bool


def reading_bytes(pictures: Pictures, buffers: Buffers) -> int:
    """What decoding takes, with one RGB image at a time."""
    if not pictures.decoded_bytes:
        return IMAGE_READING * pictures.num_pixels
    threads = buffers.decoder_threads or MAX_DECODER_THREADS
    threads = min(threads, schedulable_cores() + 1)
    held = min(DECODER_PICTURES + DECODER_PICTURES_PER_THREAD * threads, pictures.num_frames)
    return held * pictures.decoded_bytes + pictures.conversion * pictures.num_pixels


def drawing_bytes(pictures: Pictures, drawing: Drawing, buffers: Buffers) -> int:
    """What reading, drawing, encoding and saving take together."""
    pixels, count = pictures.num_pixels, pictures.num_frames
    # Each thread has one frame more in hand than wait for it.
    read = min(buffers.waiting_frames + 2, count) * (pictures.decoded_bytes + RGB * pixels)
    waiting = max(buffers.waiting_frames, -(-buffers.waiting_images // 2))
    waiting += buffers.drawing_threads
    # Source, and heat and overlay of each map.
    drawn = pictures.decoded_bytes + RGB * pixels * (1 + 2 * drawing.num_maps)
    encoder = ENCODER + ENCODER_PER_LOOKAHEAD * min(buffers.lookahead, count)
    # x264 by itself takes three threads for two cores.
    encoder += ENCODER_PER_THREAD * (buffers.encoder_threads or 3 * schedulable_cores() // 2)
    num_encoded = drawing.num_maps * drawing.num_panels + drawing.is_copied
    images = read + min(waiting, count) * drawn + DRAWING * buffers.drawing_threads * pixels
    stitching = STITCHING * drawing.num_panels * buffers.drawing_threads
    encoders = (encoder * num_encoded + stitching) * pixels
    return reading_bytes(pictures, buffers) + round(FRAGMENTATION * (images + encoders))


def budget_bytes(limits: LimitsConfig) -> int:
    """What the pictures of a clip may take: half of what is available, or up to ``max_memory``."""
    if limits.max_memory is None:
        return int(DEFAULT_SHARE * available_bytes())
    return limits.max_memory - resident_bytes()


def reading_buffers(path: str, pictures: Pictures, budget: float) -> Buffers:
    """The fastest buffers with which the clip can be read within ``budget`` bytes.

    Raises:
        ClipError: where not even the smallest ones suffice.
    """
    for buffers in BUFFERS:
        if reading_bytes(pictures, buffers) <= budget:
            return _with_threads_for(pictures, buffers)
    raise _too_large(path, "reading", reading_bytes(pictures, BUFFERS[-1]), budget)


def drawing_buffers(path: str, pictures: Pictures, drawing: Drawing, budget: float) -> Buffers:
    """The fastest buffers with which the clip can be drawn within ``budget`` bytes.

    Raises:
        ClipError: where not even the smallest ones suffice.
    """
    for buffers in BUFFERS:
        if drawing_bytes(pictures, drawing, buffers) <= budget:
            return _with_threads_for(pictures, buffers)
    raise _too_large(path, "drawing", drawing_bytes(pictures, drawing, BUFFERS[-1]), budget)


def _with_threads_for(pictures: Pictures, buffers: Buffers) -> Buffers:
    """The buffers, with one thread for decoding where the clip is short."""
    is_short = pictures.num_pixels * pictures.num_frames <= SINGLE_THREADED_PIXELS
    return replace(buffers, decoder_threads=1) if is_short else buffers


def _too_large(path: str, work: str, needed: int, budget: float) -> ClipError:
    if budget <= 0:
        return ClipError(
            f"{printable_path(path)}: --max-memory is less than the {resident_bytes() / 2**30:.2f} "
            "GiB that the process takes before it reads a clip: raise it"
        )
    return ClipError(
        f"{printable_path(path)}: {work} pictures of this size takes about {needed / 2**30:.2f} "
        f"GiB of memory, and {budget / 2**30:.2f} GiB may be used: scale the clip down, "
        "draw fewer maps, or raise --max-memory"
    )
