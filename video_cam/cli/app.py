"""``video-cam app``: a form in the browser, with the results in place."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from video_cam.app.settings import AppConfig
from video_cam.cli.arguments import command_options, parse, run_config
from video_cam.cli.console import Console
from video_cam.cli.option_types import memory_size
from video_cam.cli.program import program_name
from video_cam.errors import UsageError

NAME = "app"
_DESCRIPTION = """\
Show a form in the browser: drop a clip, choose a network, see the result in place. All other
options of the command hold for every explanation, such as --model, --weights, --use-cuda or
--output-dir; the form starts with their values. A file that can run code is named here, never in
the form."""
# Options of the command that say which clips a run explains, or what it prints.
_NOT_OF_THE_APP = {
    "clips": "--clip",
    "truth": "--truth",
    "max_clips": "--n-images",
    "shard": "--shard",
    "list_models": "--list-models",
    "list_layers": "--list-layers",
    "as_json": "--json",
    "debug": "--debug",
}


def run_app(arguments: Sequence[str]) -> int:
    """Run the command until it is interrupted.

    Args:
        arguments: words of the command line after "app".

    Returns:
        The exit status: 0.

    Raises:
        UsageError: for options that do not fit, and where the app cannot be started.
        SystemExit: after ``--help``, and with status 2 for arguments that cannot be parsed.
    """
    own, rest = _parser().parse_known_args(arguments)
    parsed = parse(rest)
    options = command_options(parsed)
    for name, option in _NOT_OF_THE_APP.items():
        if getattr(options, name):
            raise UsageError(f"{option} is not for the app: clips are chosen in the browser")
    config = AppConfig(run_config(parsed), own.host, own.port, own.max_upload, show=options.show)
    from video_cam.app.server import serve

    serve(config, Console(quiet=False, as_json=False).line)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{program_name()} {NAME}",
        description=_DESCRIPTION,
        epilog=f"{program_name()} --help lists the other options. --show opens the app.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--host",
        default=AppConfig.host,
        metavar="ADDRESS",
        help="address to listen on; another one than %(default)s lets others use this machine "
        "without a password (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=AppConfig.port,
        metavar="N",
        help="port to listen on, 0 for a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--max-upload",
        type=memory_size,
        default=AppConfig.max_upload,
        metavar="SIZE",
        help="refuse larger files, as 500M or 2G (default: 1G)",
    )
    return parser
