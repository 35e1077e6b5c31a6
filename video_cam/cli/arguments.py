"""The command line: from words to the command's own options and a RunConfig.

PyTorch is not imported, so that ``--help`` and a wrong argument answer at once.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NoReturn

from video_cam.batch.run_config import ModelConfig, RayConfig, RunConfig
from video_cam.cli import run_options
from video_cam.cli.explain_options import add_explain_options
from video_cam.cli.model_options import add_model_options
from video_cam.cli.program import program_name
from video_cam.config import (
    ExplainConfig,
    InputConfig,
    LimitsConfig,
    RenderConfig,
    make_explain_config,
)
from video_cam.errors import UsageError
from video_cam.models.user_code import UserFunction
from video_cam.text_config import DEFAULT_NETWORK, make_text_config
from video_cam.utils.names import nearest
from video_cam.utils.text import for_terminal
from video_cam.utils.version import __version__
from video_cam.video.addresses import advice_for

_OPTION = re.compile(r"--[a-z_-]+")


@dataclass(frozen=True)
class CommandOptions:
    """What only the command itself needs; the rest is in RunConfig.

    Attributes:
        clips: the arguments of ``--clip``.
        truth: the arguments of ``--truth``.
        max_clips: only the first clips are processed; None for all.
        shard: (i, n) for the i-th of n parts of the clips; None for all.
        show: open the page of a clip in a browser when it is written.
        list_models: print the networks and exit.
        list_layers: print the layers of the network and exit.
        quiet: print warnings and errors only.
        as_json: print JSON lines instead of text.
        debug: raise errors instead of printing one line.
    """

    clips: tuple[str, ...]
    truth: tuple[str, ...]
    max_clips: int | None
    shard: tuple[int, int] | None
    show: bool
    list_models: bool
    list_layers: bool
    quiet: bool
    as_json: bool
    debug: bool


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; options may be written with underscores, as some image tools do.

    Exits with status 2 and one line on stderr for an unknown option or a value of a wrong type.
    """
    dashed = [
        argument.replace("_", "-") if _OPTION.fullmatch(argument) else argument
        for argument in arguments
    ]
    parser = build_parser()
    parsed, unknown = parser.parse_known_args(dashed)
    if unknown:
        parser.error(_unknown_argument(unknown[0], list(parser._option_string_actions)))
    return parsed


def command_options(parsed: argparse.Namespace) -> CommandOptions:
    """The part of the parsed arguments that only the command needs."""
    values = {one.name: getattr(parsed, one.name) for one in fields(CommandOptions)}
    return CommandOptions(**values | {"clips": tuple(parsed.clips), "truth": tuple(parsed.truth)})


def run_config(parsed: argparse.Namespace) -> RunConfig:
    """The part of the parsed arguments that says what a run does.

    Raises:
        UsageError: for values that are unknown, out of range or do not fit together.
    """
    return RunConfig(
        model=_model_config(parsed),
        explain=_explain_config(parsed),
        render=RenderConfig(
            **{one.name: getattr(parsed, one.name) for one in fields(RenderConfig)}
        ),
        limits=LimitsConfig(parsed.max_pixels, parsed.max_frames, parsed.max_memory),
        output_dir=parsed.output_dir,
        overwrite=parsed.overwrite,
        time_limit=parsed.time_limit,
        engine=parsed.engine,
        ray=RayConfig(
            parsed.ray_address,
            parsed.actor_cpus,
            parsed.spread,
            parsed.actors,
            parsed.cpu_actors,
        ),
        log_level=parsed.log_level,
    )


def build_parser() -> argparse.ArgumentParser:
    """A parser of every option of the command, with its aliases."""
    parser = _Parser(
        prog=program_name(),
        description="Draw on every frame of a clip what a video network looked at.",
        epilog="%(prog)s demo explains a clip that it draws; %(prog)s app is a page in the "
        "browser; %(prog)s verify DIR checks results that were written before; %(prog)s export "
        "writes them as files to send and files of other tools. Exit status: 0 all done, 1 a clip "
        "failed (the others are done), 2 wrong arguments.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"video_cam {__version__}")
    run_options.add_input_options(parser.add_argument_group("input"))
    add_model_options(parser.add_argument_group("model"))
    add_explain_options(parser)
    run_options.add_render_options(parser.add_argument_group("rendering"))
    run_options.add_output_options(parser.add_argument_group("output"))
    run_options.add_machine_options(parser.add_argument_group("machine"))
    run_options.add_batch_options(parser.add_argument_group("many clips, and messages"))
    return parser


class _Parser(argparse.ArgumentParser):
    """Prints a mistake as one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, for_terminal(f"error: {message} (--help lists all options)") + "\n")


def _unknown_argument(argument: str, options: Sequence[str]) -> str:
    """What to do about a word of the command line that belongs to no option."""
    if argument.startswith("-"):
        return f"unknown option {argument}: {nearest(argument.partition('=')[0], options)}"
    if argument and (os.path.lexists(argument) or advice_for(argument)):
        return f"{argument!r} stands without an option: clips are given with --clip {argument}"
    return f"unknown argument {argument!r}"


def _model_config(parsed: argparse.Namespace) -> ModelConfig:
    size = parsed.size
    if size is not None and len(size) > 2:
        raise UsageError(f"--size {size} must be one side, or height and width")
    texts = make_text_config(parsed.text, parsed.text_template, parsed.text_negative)
    own_name = None if texts is None else DEFAULT_NETWORK
    return ModelConfig(
        name=own_name if parsed.model is None else parsed.model,
        weights=parsed.weights,
        labels=parsed.labels,
        trust_checkpoint=parsed.trust_checkpoint,
        allow_partial=parsed.allow_partial,
        device=parsed.device,
        use_cuda=parsed.use_cuda,
        text=texts,
        input=InputConfig(
            num_frames=parsed.num_frames,
            frame_rate=parsed.frame_rate,
            size=None if size is None else (size[0], size[-1]),
            mean=None if parsed.mean is None else tuple(parsed.mean),
            std=None if parsed.std is None else tuple(parsed.std),
            layout=parsed.layout_in,
            score=parsed.score,
            channels=parsed.channels,
            value_range=parsed.value_range,
            input_factory=parsed.input_factory,
            output_layout=parsed.output_layout,
        ),
    )


def _explain_config(parsed: argparse.Namespace) -> ExplainConfig:
    values = {
        one.name: getattr(parsed, one.name) for one in fields(ExplainConfig) if one.name in parsed
    }
    return make_explain_config(values | {"targets": map(UserFunction, parsed.targets)})
