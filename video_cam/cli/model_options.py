"""Options of the network: which one it is, its weights, and what its input and scores are.

Defaults are those of the configuration classes.
"""

from __future__ import annotations

import argparse

from video_cam import choice_names
from video_cam.batch.run_config import ModelConfig
from video_cam.cli.option_types import choices
from video_cam.config import InputConfig
from video_cam.text_config import DEFAULT_NETWORK


def add_model_options(group: argparse._ArgumentGroup) -> None:
    """The network, its input and its scores."""
    group.add_argument(
        "--model",
        "--network",
        "--model-path",
        default=ModelConfig.name,
        metavar="NAME|SPEC|FILE",
        help="a name from --list-models, timm:NAME, mmaction:CONFIG.py, slowfast:CONFIG.yaml, a "
        "folder or hub name of transformers, file.py:factory, package.module:factory, an .onnx "
        "file, or another saved network (default: r3d_18 with Kinetics-400 weights where they are "
        "on disk or can be downloaded, else the bundled network)",
    )
    group.add_argument(
        "--weights",
        "--weight-path",
        default=ModelConfig.weights,
        metavar="NAME|FILE|none",
        help="a pretrained entry, a .pth, .ckpt, .safetensors or such file, or none for random "
        "weights",
    )
    group.add_argument(
        "--labels",
        "--labels-path",
        default=ModelConfig.labels,
        metavar="FILE",
        help="class names: one per line, JSON, a Python dict, or ImageNet's class index",
    )
    group.add_argument(
        "--trust-checkpoint",
        action="store_true",
        help="load a whole saved network (.pt2, .pt), which runs the code in the file",
    )
    group.add_argument(
        "--allow-partial",
        action="store_true",
        help="load of the weights what fits; the rest of the network stays random",
    )
    _add_texts(group)
    _add_network_input(group)


def _add_texts(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--text",
        nargs="+",
        metavar="TEXT",
        help="look for what these texts say, with CLIP, SigLIP or X-CLIP: they take the place of "
        f"the classes, and each gets a map (default of --model with it: {DEFAULT_NETWORK})",
    )
    group.add_argument(
        "--text-template",
        nargs="+",
        metavar="TEMPLATE",
        help="sentences with {} in place of a text, whose encodings are averaged (default: the "
        "network's own, such as 'a photo of {}')",
    )
    group.add_argument(
        "--text-negative",
        nargs="+",
        metavar="TEXT",
        help="further texts that those of --text are compared with, such as 'something else'",
    )


def _add_network_input(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--size",
        nargs="+",
        type=int,
        default=InputConfig.size,
        metavar="PIXELS",
        help="side, or height and width, of the network's input",
    )
    for name, use in (("mean", "subtracted from"), ("std", "that divide")):
        group.add_argument(
            f"--{name}",
            nargs="+",
            type=float,
            default=getattr(InputConfig, name),
            metavar="NUMBER",
            help=f"numbers {use} frames in 0 ... 1, one for each channel",
        )
    group.add_argument(
        "--value-range",
        type=float,
        default=InputConfig.value_range,
        metavar="N",
        help="frames are in 0 ... N before --mean and --std, which are 0 and 1 if they are not "
        "given: 255 for networks that take pictures as they are stored (default: 1)",
    )
    group.add_argument(
        "--channels",
        default=InputConfig.channels,
        metavar=choices(choice_names.CHANNEL_NAMES),
        help="what the network takes of the frames: colours, blue first, grey, or the optical "
        "flow between consecutive ones (default: rgb)",
    )
    group.add_argument(
        "--layout-in",
        default=InputConfig.layout,
        metavar="NCTHW|NTCHW|frames|stacked|list",
        help="input of the network: a clip, a clip with time before channels, each frame as an "
        "image, all frames as channels of one image, or a slow and a fast pathway (list:4,1 takes "
        "every fourth and every frame)",
    )
    group.add_argument(
        "--input-factory",
        default=InputConfig.input_factory,
        metavar="FILE:FUNCTION",
        help="a function (clip, path, times) that makes the network's arguments, where a clip is "
        "not its only input",
    )
    _add_network_output(group)
    group.add_argument("--list-models", action="store_true", help="print the networks and exit")
    group.add_argument(
        "--list-layers",
        action="store_true",
        help="print the layers of this network for this clip and exit",
    )


def _add_network_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--score",
        default=InputConfig.score,
        metavar=choices(choice_names.SCORE_KINDS),
        help="how scores are shown (default: softmax; sigmoid for a single score; raw is for "
        "regression)",
    )
    group.add_argument(
        "--output-layout",
        default=InputConfig.output_layout,
        metavar="AXES",
        help="axes of the network's scores where they cannot be found: N clips, K classes, T time, "
        "H and W places, as NTK or NKT; with several outputs also the entry, as logits:NK",
    )
