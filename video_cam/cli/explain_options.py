"""Options that say what of a clip is explained: classes, layers, methods, time, maps.

Destinations are the names of the fields of ExplainConfig, and defaults are its defaults.
"""

from __future__ import annotations

import argparse

from video_cam import choice_names
from video_cam.cli.option_types import choices, choices_in_words, frame_rate
from video_cam.config import ExplainConfig


def add_explain_options(parser: argparse.ArgumentParser) -> None:
    """Add them in groups."""
    _add_targets(parser.add_argument_group("what to explain"))
    _add_time(parser.add_argument_group("time"))
    _add_maps(parser.add_argument_group("maps"))
    _add_checks(parser.add_argument_group("checks and pictures of input gradients"))


def _add_targets(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--method",
        dest="methods",
        nargs="+",
        metavar="NAME",
        help=f"{', '.join(choice_names.METHOD_NAMES)} (default: {' '.join(ExplainConfig.methods)}; "
        f"{choice_names.SCORE_METHOD_NAMES[0]} for networks without gradients)",
    )
    group.add_argument(
        "--layer",
        "--layer-name",
        dest="layers",
        nargs="+",
        default=ExplainConfig.layers,
        metavar="NAME",
        help="layers that get a map: names of modules, patterns such as 'layer?', -1 for the last "
        "layer with a grid, where or when (default: where, see --list-layers)",
    )
    group.add_argument(
        "--conv-backcount",
        nargs="+",
        type=int,
        default=ExplainConfig.conv_backcount,
        metavar="N",
        help="convolutions that get a map, counted from the back: 1 is the last",
    )
    _add_classes(group)


def _add_classes(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--class-id",
        dest="class_ids",
        nargs="+",
        default=ExplainConfig.class_ids,
        metavar="ID|NAME",
        help="classes to explain (default: the best class of the whole clip)",
    )
    group.add_argument(
        "--target",
        dest="targets",
        nargs="+",
        default=(),
        metavar="FILE:FUNCTION",
        help="functions of the network's output to explain: file.py:function returns (N,) scores",
    )
    group.add_argument(
        "--top-k",
        type=int,
        default=ExplainConfig.top_k,
        metavar="K",
        help="explain the K best classes (default: 1, and all texts of --text)",
    )
    group.add_argument("--worst", action="store_true", help="also explain the least probable class")


def _add_time(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--sampling",
        default=ExplainConfig.sampling,
        metavar=choices(choice_names.SAMPLING_MODES),
        help="overlapping windows at the network's frame rate, or one input of frames evenly "
        "spaced over the whole clip (default: %(default)s)",
    )
    group.add_argument(
        "--num-frames",
        type=int,
        default=ExplainConfig.num_frames,
        metavar="N",
        help="frames in one input of the network (default: as it was trained)",
    )
    group.add_argument(
        "--frame-rate",
        type=frame_rate,
        default=ExplainConfig.frame_rate,
        metavar="FPS",
        help="frames per second of the network's input (default: as it was trained)",
    )
    group.add_argument(
        "--window-stride",
        type=int,
        default=ExplainConfig.window_stride,
        metavar="N",
        help="frames of the input from the start of one window to the next (default: half a "
        "window)",
    )
    _add_part(group)
    group.add_argument(
        "--class-scope",
        default=ExplainConfig.class_scope,
        metavar=choices(choice_names.CLASS_SCOPES),
        help="explain the clip's best classes in every window, or each window's own best classes "
        "(default: %(default)s)",
    )


def _add_part(group: argparse._ArgumentGroup) -> None:
    """Which part of the file is explained."""
    group.add_argument(
        "--start", type=float, default=ExplainConfig.start, metavar="SECONDS", help="where to begin"
    )
    group.add_argument(
        "--end", type=float, default=ExplainConfig.end, metavar="SECONDS", help="where to stop"
    )
    group.add_argument(
        "--video-stream",
        type=int,
        default=ExplainConfig.video_stream,
        metavar="N",
        help="which of the file's video streams, counted from 0 (default: the one that FFmpeg "
        "takes for the best)",
    )
    group.add_argument(
        "--split-scenes",
        action="store_true",
        help="no window contains a cut (needs PySceneDetect: pip install scenedetect)",
    )


def _add_maps(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--pooling",
        default=ExplainConfig.pooling,
        metavar=choices(choice_names.POOLING_NAMES),
        help="average gradients over the whole window, or separately at each time step (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--align",
        default=ExplainConfig.align,
        metavar="NAME",
        help="how the centres of a layer's cells are found: "
        f"{choices_in_words(choice_names.ALIGNMENT_NAMES)} (default: %(default)s)",
    )
    group.add_argument(
        "--detail",
        nargs="+",
        default=ExplainConfig.detail,
        metavar="NAME",
        help=f"{', '.join(choice_names.DETAIL_NAMES)}: make maps finer than their layer's grid, "
        "with finer layers of the same pass, or with an attribution at the input, which takes "
        "about two more passes; several give maps of each "
        f"(default: {' '.join(ExplainConfig.detail)})",
    )
    group.add_argument(
        "--fuse",
        default=ExplainConfig.fuse,
        metavar=choices(choice_names.FUSION_NAMES),
        help="combine the layers of --layer into one map, each divided by its largest value",
    )
    group.add_argument(
        "--contrast",
        action="store_true",
        help="explain the class's score minus that of the best other class",
    )
    _add_smoothing(group)
    _add_altered_inputs(group)


def _add_altered_inputs(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--fill",
        default=ExplainConfig.fill,
        metavar=choices(choice_names.FILL_NAMES),
        help="what occlusion and rise show in place of what they hide: a blurred picture, the mean "
        "colour, or what was there a moment before (default: %(default)s)",
    )
    group.add_argument(
        "--masks",
        type=int,
        default=ExplainConfig.masks,
        metavar="N",
        help="rise scores at most N masks of each window (default: %(default)s)",
    )
    group.add_argument(
        "--mask-error",
        type=float,
        default=ExplainConfig.mask_error,
        metavar="SHARE",
        help="rise stops when the standard error is this share of the map's largest value, 0 for "
        "never (default: %(default)s)",
    )
    group.add_argument(
        "--seed",
        type=int,
        default=ExplainConfig.seed,
        metavar="N",
        help="draw other masks for rise (default: %(default)s)",
    )


def _add_smoothing(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--aug-smooth",
        action="store_true",
        help="mean map of six versions of the input: flipped left to right or not, times 0.9, 1 "
        "and 1.1",
    )
    group.add_argument(
        "--aug-shift",
        type=int,
        default=ExplainConfig.aug_shift,
        metavar="N",
        help="mean map of the input as it is and moved N frames earlier and later",
    )
    group.add_argument(
        "--eigen-smooth",
        action="store_true",
        help="first principal component of the weighted activations instead of their sum",
    )
    group.add_argument(
        "--max-channels",
        type=int,
        default=ExplainConfig.max_channels,
        metavar="N",
        help="scorecam runs only the N channels that vary most (default: all, which is exact)",
    )


def _add_checks(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=ExplainConfig.check,
        help="blur the region that the map marks, and compare the drop of the score with that for "
        "random regions: 16 forward passes (default: where they take no longer than the maps)",
    )
    group.add_argument(
        "--sanity",
        action="store_true",
        help="randomise the network's weights part by part, and report how much the map changes",
    )
    group.add_argument(
        "--motion-test",
        action="store_true",
        help="does the network answer by motion, or would one frame do? Score the strongest window "
        "of each explained class frozen, shuffled, reversed, slower and faster, and divide the "
        "first map into a part by motion and a part by appearance: at most 24 forward passes for a "
        "window, 16 of them with a map",
    )
    group.add_argument(
        "--frame-test",
        action="store_true",
        help="which frames made the network decide, and how few are enough? Score the strongest "
        "window of the first class with some of its frames left out: at most 150 forward passes "
        "for a window of more than 10 frames, and 2 for each window of a clip that has several",
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
