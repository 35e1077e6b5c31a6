"""Every option of the command.

Nothing heavy is imported, so that --help and a typing error answer at once.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NoReturn

from video_cam import config
from video_cam.config import LimitsConfig
from video_cam.utils.names import nearest

_OPTION = re.compile(r"--[a-z_-]+")


class _Parser(argparse.ArgumentParser):
    """A mistake is one line, with the option that was perhaps meant."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").split()
        if unknown[0] != message.split()[0] and unknown[0].startswith("-"):
            near = nearest(unknown[0].partition("=")[0], list(self._option_string_actions))
            message = f"unknown option {unknown[0]}: {near}"
        self.exit(2, f"error: {message} (--help tells all options)\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; options may be written with underscores, as some image tools do."""
    dashed = [
        argument.replace("_", "-") if _OPTION.fullmatch(argument) else argument
        for argument in arguments
    ]
    return build_parser().parse_args(dashed)


def build_parser() -> argparse.ArgumentParser:
    """Every option of the command, with its aliases."""
    parser = _Parser(
        prog="run_video_cam.py",
        description="Draw on every frame of a clip what a video network looked at.",
        epilog="Exit status: 0 all done, 1 a clip failed (the others are done), 2 wrong arguments.",
        allow_abbrev=False,
    )
    _add_input(parser.add_argument_group("input"))
    _add_model(parser.add_argument_group("model"))
    _add_what(parser.add_argument_group("what to explain"))
    _add_time(parser.add_argument_group("time"))
    _add_look(parser.add_argument_group("map and look"))
    _add_output(parser.add_argument_group("output"))
    _add_machine(parser.add_argument_group("machine"))
    _add_run(parser.add_argument_group("many clips, and what is told"))
    return parser


def _add_input(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--clip",
        "--image-path",
        "--image-dir",
        nargs="+",
        default=[],
        metavar="PATH",
        help="videos, GIFs, still images, folders of numbered frames, folders of clips, globs, "
        "list.txt (a path on each line), list.csv (columns clip and, perhaps, class)",
    )
    group.add_argument(
        "--max-pixels",
        type=int,
        default=LimitsConfig.max_pixels,
        metavar="N",
        help="refuse pictures of more pixels, which a few bytes can promise (default: %(default)s)",
    )
    group.add_argument(
        "--max-frames",
        type=int,
        default=LimitsConfig.max_frames,
        metavar="N",
        help="refuse clips of more frames (default: %(default)s)",
    )
    group.add_argument(
        "--n-images", type=int, metavar="N", help="only the first N clips or images found"
    )


def _add_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--model",
        "--network",
        "--model-path",
        metavar="NAME|SPEC|FILE",
        help="a name from --list-models, timm:NAME, a folder or hub name of transformers, "
        "file.py:factory, package.module:factory, or a saved network; default: r3d_18 with "
        "Kinetics-400 weights where they can be had, else the bundled network",
    )
    group.add_argument(
        "--weights",
        "--weight-path",
        metavar="NAME|FILE|none",
        help="a pretrained entry, a .pth or .safetensors file, or none for random weights",
    )
    group.add_argument(
        "--labels",
        "--labels-path",
        metavar="FILE",
        help="class names: one per line, JSON, a Python dict, or ImageNet's class index",
    )
    group.add_argument(
        "--trust-checkpoint",
        action="store_true",
        help="load a whole saved network, which runs the code in it",
    )
    group.add_argument(
        "--size",
        nargs="+",
        type=int,
        metavar="PIXELS",
        help="side, or height and width, of the network's input",
    )
    for name, what in (("mean", "subtracted from"), ("std", "that divide")):
        group.add_argument(
            f"--{name}",
            nargs=3,
            type=float,
            metavar=("R", "G", "B"),
            help=f"numbers {what} frames in 0 ... 1",
        )
    group.add_argument(
        "--layout-in",
        metavar="NCTHW|NTCHW|frames|list",
        help="what the network takes: a clip, time first, each frame as an image, or a slow and a "
        "fast pathway (list:4,1 says of which frames)",
    )
    group.add_argument(
        "--score",
        metavar=_either(config.SCORE_KINDS),
        help="how scores are shown (default: softmax, sigmoid where there is one alone; raw for "
        "regression)",
    )
    group.add_argument("--list-models", action="store_true", help="print the networks and leave")
    group.add_argument(
        "--list-layers",
        action="store_true",
        help="print the layers of this network for this clip and leave",
    )


def _add_what(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--method",
        nargs="+",
        default=["gradcam"],
        metavar="NAME",
        help=f"{', '.join(config.METHOD_NAMES)} (default: gradcam)",
    )
    group.add_argument(
        "--layer",
        "--layer-name",
        dest="layers",
        nargs="+",
        metavar="NAME",
        help="modules whose output is mapped: names, patterns such as 'layer?', -1 for the last "
        "with a grid, where or when (default: where, see --list-layers)",
    )
    group.add_argument(
        "--conv-backcount",
        nargs="+",
        type=int,
        default=[],
        metavar="N",
        help="convolutions to map, counted from the back: 1 is the last",
    )
    group.add_argument(
        "--class-id",
        nargs="+",
        default=[],
        metavar="ID|NAME",
        help="classes to explain (default: the best of the whole clip)",
    )
    group.add_argument(
        "--target",
        dest="targets",
        nargs="+",
        default=[],
        metavar="FILE:FUNCTION",
        help="functions of the network's output to explain: file.py:function returns (N,) scores",
    )
    group.add_argument("--top-k", type=int, default=1, metavar="K", help="explain the K best")
    group.add_argument("--worst", action="store_true", help="and the least probable class")
    group.add_argument(
        "--aug-smooth",
        action="store_true",
        help="the mean map of six versions: flipped left to right or not, times 0.9, 1 and 1.1",
    )
    group.add_argument(
        "--aug-shift",
        type=int,
        default=0,
        metavar="N",
        help="the mean map of the clip as it is and moved N frames earlier and later",
    )
    group.add_argument(
        "--eigen-smooth",
        action="store_true",
        help="the first principal component of the weighted activations in place of their sum",
    )
    group.add_argument(
        "--guided",
        action="store_true",
        help="also write guided/: network input | guided backprop | guided Grad-CAM",
    )
    group.add_argument(
        "--smoothgrad",
        action="store_true",
        help="also write smoothgrad/: network input | mean input gradient of noisy copies",
    )
    group.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        help="blur what the map marks, score again and compare with random marks: 16 forward "
        "passes (default: where that takes no longer than the maps did)",
    )
    group.add_argument(
        "--sanity",
        action="store_true",
        help="randomise the network part by part and tell how the map changes",
    )
    group.add_argument(
        "--max-channels",
        type=int,
        metavar="N",
        help="scorecam runs only the N channels that vary most (default: all, which is exact)",
    )


def _add_time(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--sampling",
        default="windows",
        metavar=_either(config.SAMPLING_MODES),
        help="overlapping windows at the network's frame rate, or keyframes over the whole clip",
    )
    group.add_argument("--num-frames", type=int, metavar="N", help="frames the network is given")
    group.add_argument(
        "--frame-rate",
        type=_fraction,
        metavar="FPS",
        help="frames per second the network is given (default: as it was trained)",
    )
    group.add_argument(
        "--window-stride",
        type=int,
        metavar="N",
        help="frames (of those given) between windows (default: half a window)",
    )
    group.add_argument("--start", type=float, metavar="SECONDS", help="where to begin")
    group.add_argument("--end", type=float, metavar="SECONDS", help="where to stop")
    group.add_argument(
        "--split-scenes",
        action="store_true",
        help="no window runs across a cut (takes PySceneDetect: pip install scenedetect)",
    )
    group.add_argument(
        "--class-scope",
        default="video",
        metavar=_either(config.CLASS_SCOPES),
        help="explain the clip's best classes in every window, or each window's own best",
    )
    group.add_argument(
        "--contrast",
        action="store_true",
        help="what speaks for a class rather than for the best other one",
    )


def _add_look(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--align",
        default="probe",
        metavar="NAME",
        help=f"where a layer's cells sit: {_or(config.ALIGNMENT_NAMES)}",
    )
    group.add_argument(
        "--fuse",
        metavar=_either(config.FUSION_NAMES),
        help="one map of all layers that --layer names, each as a share of its largest value",
    )
    group.add_argument(
        "--pooling",
        default="clip",
        metavar=_either(config.POOLING_NAMES),
        help="pool gradients over the window, or at each time step by itself",
    )
    group.add_argument(
        "--normalize",
        default="video",
        metavar=_either(config.NORMALIZATIONS),
        help="what full heat is: the largest value in the video, the window or the frame",
    )
    group.add_argument(
        "--colormap",
        default="inferno",
        metavar="NAME",
        help=_or(config.COLORMAP_NAMES),
    )
    group.add_argument(
        "--alpha", type=float, default=0.7, metavar="0...1", help="opacity of full heat"
    )
    group.add_argument(
        "--layout",
        default="overlay",
        metavar=_either(config.VIDEO_LAYOUTS),
        help="the overlay; source and overlay; source, heat map and overlay",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--output-dir",
        "--save-dir",
        default="outputs",
        metavar="DIR",
        help="results go to DIR/<clip's name>/ (default: outputs); an address like s3://bucket/dir "
        "where fsspec knows it",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="make finished results again, though clip, weights and options have not changed",
    )
    group.add_argument(
        "--max-keyframes",
        type=int,
        default=240,
        metavar="N",
        help="save at most N keyframes, evenly spread (default: 240)",
    )
    group.add_argument(
        "--figure",
        action="store_true",
        help="also write figure.pdf and figure.png, keyframes x maps for a paper",
    )
    group.add_argument("--show", action="store_true", help="open the page when done")


def _add_machine(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--use-cuda", action="store_true", help="run on the GPU where there is one")
    group.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps, ...")
    group.add_argument(
        "--precision", default="fp32", metavar=_either(config.PRECISIONS), help="default: fp32"
    )
    group.add_argument(
        "--batch-size", type=int, default=4, metavar="N", help="windows in one pass (default: 4)"
    )


def _add_run(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--time-limit",
        type=_positive,
        metavar="SECONDS",
        help="give up a clip that takes longer (default: one without headway for 15 minutes)",
    )
    group.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="do the I-th of N parts of the clips; the others are for other machines",
    )
    group.add_argument(
        "--engine",
        default="local",
        choices=("local", "ray"),
        help="one network on this machine, or one on each actor of a Ray cluster (default: local)",
    )
    group.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="the cluster: auto, HOST:6379 or ray://HOST:10001 (default: this machine alone)",
    )
    group.add_argument(
        "--actor-cpus",
        type=int,
        default=4,
        metavar="N",
        help="cores an actor takes where it has no GPU (default: 4)",
    )
    group.add_argument(
        "--spread",
        action="store_true",
        help="with --engine ray: one clip at a time, its windows on all actors; for long clips",
    )
    group.add_argument("--quiet", action="store_true", help="tell warnings and errors only")
    group.add_argument(
        "--json", action="store_true", help="tell everything as JSON lines, for machines"
    )
    group.add_argument(
        "--log-level",
        default="warning",
        choices=("debug", "info", "warning", "error"),
        help="what goes to the log on stderr, FFmpeg's own words among it (default: warning)",
    )
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _fraction(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no frame rate: give 15 or 30000/1001"
        ) from error


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
        return int(index), int(count)
    raise argparse.ArgumentTypeError(f"{text!r} must be I/N with 1 <= I <= N, as in 2/8")


def _either(names: Sequence[str]) -> str:
    return "|".join(names)


def _or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
