"""Options of a run: clips, drawing, output folder, machine, messages.

Defaults are those of the configuration classes.
"""

from __future__ import annotations

import argparse

from video_cam import choice_names
from video_cam.batch.run_config import ENGINES, LOG_LEVELS, ModelConfig, RayConfig, RunConfig
from video_cam.cli.option_types import (
    bounds,
    choices,
    choices_in_words,
    memory_size,
    positive_seconds,
    shard,
)
from video_cam.config import ExplainConfig, LimitsConfig, RenderConfig


def add_input_options(group: argparse._ArgumentGroup) -> None:
    """Clips and limits."""
    group.add_argument(
        "--clip",
        "--image-path",
        "--image-dir",
        dest="clips",
        nargs="+",
        default=(),
        metavar="PATH",
        help="videos, animations, still images, arrays (.npy, .npz), DICOM files, folders of "
        "numbered frames (or their name, a_%%d.png), folders of clips, globs, "
        "list.txt (one path per line), list.csv (columns clip and, optionally, class and truth)",
    )
    group.add_argument(
        "--truth",
        nargs="+",
        default=(),
        metavar="folders|FILE",
        help="the clips' true classes, and when and where their events are: folders, where each "
        "folder has the name of its clips' class (--clip DIR is then read with all folders in it), "
        "or annotations in CSV, JSON, CVAT's XML, or those of Kinetics, UCF101, "
        "Something-Something and COCO (docs/ground-truth.md)",
    )
    group.add_argument(
        "--n-images",
        dest="max_clips",
        type=int,
        metavar="N",
        help="only the first N clips or images found",
    )
    group.add_argument(
        "--max-pixels",
        type=int,
        default=LimitsConfig.max_pixels,
        metavar="N",
        help="refuse pictures of more pixels: a file of few bytes can claim any size (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--max-frames",
        type=int,
        default=LimitsConfig.max_frames,
        metavar="N",
        help="refuse clips of more frames (default: %(default)s)",
    )
    group.add_argument(
        "--bit-depth",
        type=int,
        default=ExplainConfig.bit_depth,
        metavar="BITS",
        help="bits of data in pictures of 16 bits, as 12 for values up to 4095 (default: found "
        "from the values)",
    )
    group.add_argument(
        "--strict",
        action="store_true",
        help="fail clips with damaged or missing pictures; without it, their results say so",
    )


def add_render_options(group: argparse._ArgumentGroup) -> None:
    """How results are drawn, and which pictures are written."""
    add_drawing_options(group)
    group.add_argument(
        "--max-keyframes",
        type=int,
        default=RenderConfig.max_keyframes,
        metavar="N",
        help="save pictures of at most N keyframes: the peaks of the maps over time, and frames "
        "evenly spread between; 0 for all that the network was given (default: %(default)s)",
    )
    group.add_argument(
        "--figure",
        action="store_true",
        help="also write figure.pdf and figure.png, keyframes x maps for a paper",
    )


def add_drawing_options(group: argparse._ArgumentGroup) -> None:
    """How a frame is drawn."""
    group.add_argument(
        "--normalize",
        default=RenderConfig.normalize,
        metavar=choices(choice_names.NORMALIZATIONS),
        help="what full heat is: the largest value in the video, the window or the frame "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--colormap",
        default=RenderConfig.colormap,
        metavar="NAME",
        help=f"{choices_in_words(choice_names.COLORMAP_NAMES)} (default: %(default)s)",
    )
    group.add_argument(
        "--alpha",
        type=float,
        default=RenderConfig.alpha,
        metavar="0...1",
        help="opacity of full heat (default: %(default)s)",
    )
    group.add_argument(
        "--contours",
        type=float,
        nargs="+",
        default=RenderConfig.contours,
        metavar="LEVEL",
        help="draw contour lines where the heat has these levels, as 0.5 or 0.25 0.5 0.75; with "
        "--alpha 0 without colours",
    )
    group.add_argument(
        "--layout",
        default=RenderConfig.layout,
        metavar=choices(choice_names.VIDEO_LAYOUTS),
        help="the overlay; source and overlay; source, heat map and overlay (default: %(default)s)",
    )


def add_output_options(group: argparse._ArgumentGroup) -> None:
    """Where results go."""
    group.add_argument(
        "--output-dir",
        "--save-dir",
        default=RunConfig.output_dir,
        metavar="DIR",
        help="results go to DIR/<clip's name>/ (default: %(default)s); an address such as "
        "s3://bucket/dir where fsspec knows it",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="compute finished results again, even if clip, weights and options are unchanged",
    )
    group.add_argument("--show", action="store_true", help="open the page when it is written")


def add_machine_options(group: argparse._ArgumentGroup) -> None:
    """Device, precision and memory."""
    group.add_argument("--use-cuda", action="store_true", help="run on the GPU if there is one")
    group.add_argument(
        "--device", default=ModelConfig.device, metavar="NAME", help="cpu, cuda, cuda:1, mps, ..."
    )
    group.add_argument(
        "--precision",
        default=ExplainConfig.precision,
        metavar=choices(choice_names.PRECISIONS),
        help="of the network's arithmetic (default: %(default)s)",
    )
    group.add_argument(
        "--batch-size",
        type=int,
        default=ExplainConfig.batch_size,
        metavar="N",
        help="windows in one forward pass (default: %(default)s)",
    )
    group.add_argument(
        "--max-memory",
        type=memory_size,
        default=LimitsConfig.max_memory,
        metavar="SIZE",
        help="memory that the process may take while it works on a clip, as 800M or 6G: large "
        "pictures and, on a CPU, windows are worked on fewer at a time, and refused where that "
        "does not suffice (default: half of what is available, besides the weights)",
    )


def add_batch_options(group: argparse._ArgumentGroup) -> None:
    """Many clips, and what is reported."""
    group.add_argument(
        "--time-limit",
        type=positive_seconds,
        default=RunConfig.time_limit,
        metavar="SECONDS",
        help="give up a clip that takes longer (default: one without progress for 15 minutes)",
    )
    group.add_argument(
        "--shard",
        type=shard,
        metavar="I/N",
        help="process the I-th of N parts of the clips; other machines process the others",
    )
    group.add_argument(
        "--engine",
        default=RunConfig.engine,
        choices=ENGINES,
        help="one network on this machine, or one on each actor of a Ray cluster (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--ray-address",
        default=RayConfig.address,
        metavar="ADDRESS",
        help="the cluster: auto, HOST:6379 or ray://HOST:10001 (default: this machine only)",
    )
    group.add_argument(
        "--actor-cpus",
        type=int,
        default=RayConfig.actor_cpus,
        metavar="N",
        help="CPU cores that an actor reserves where it has no GPU (default: %(default)s)",
    )
    group.add_argument(
        "--actors",
        type=bounds,
        default=RayConfig.actors,
        metavar="MIN:MAX",
        help="actors with the network, which Ray adds and removes between these bounds (default: "
        "as many as the cluster has room for)",
    )
    group.add_argument(
        "--cpu-actors",
        type=bounds,
        default=RayConfig.cpu_actors,
        metavar="MIN:MAX",
        help="with networks on GPUs: actors that read clips for them, and as many that draw the "
        "results; without Ray, up to MAX processes that do both (default: as many as the cluster "
        "has room for, or one for each core but one)",
    )
    group.add_argument(
        "--spread",
        action="store_true",
        help="with --engine ray: one clip at a time, its windows on all actors; for long clips",
    )
    _add_messages(group)


def _add_messages(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--quiet", action="store_true", help="print warnings and errors only")
    group.add_argument(
        "--json", dest="as_json", action="store_true", help="print JSON lines, for programs"
    )
    group.add_argument(
        "--log-level",
        default=RunConfig.log_level,
        choices=LOG_LEVELS,
        help="lowest level of the log on stderr; debug includes FFmpeg's own messages (default: "
        "%(default)s)",
    )
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")
