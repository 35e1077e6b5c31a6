"""Give damaged files to every parser of this project, and report what it must not do with them.

    python -m benchmarks.fuzz [--seconds N] [--seed S] [NAME ...]

A parser may return a result or raise an error of this project with a message of one line. Another
exception, a crash, a hang and too much memory are faults; each is printed with the command that
makes the same file again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from benchmarks.fuzz.fuzzer import Fuzzer, Outcome
from video_cam.errors import UsageError
from video_cam.utils.names import check_names
from video_cam.utils.text import for_terminal

EXIT_DONE, EXIT_FAULTS, EXIT_USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit status: 0 no fault, 1 at least one, 2 wrong arguments.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="parsers (default: all of them)")
    parser.add_argument(
        "--seconds", type=float, default=60, help="for all parsers together (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first file of each parser")
    parsed = parser.parse_args(arguments)
    with Fuzzer() as fuzzer:
        names = list(dict.fromkeys(parsed.names)) or list(fuzzer.targets)
        try:
            check_names("parser", names, fuzzer.targets)
        except UsageError as error:
            print(for_terminal(f"error: {error}"), file=sys.stderr)
            return EXIT_USAGE
        outcomes = {}
        for name in names:
            outcomes[name] = fuzzer.run(name, parsed.seed, parsed.seconds / len(names))
            for fault in outcomes[name].faults:
                print(fault, flush=True)
    print(table(outcomes))
    return EXIT_FAULTS if any(outcome.faults for outcome in outcomes.values()) else EXIT_DONE


def table(outcomes: Mapping[str, Outcome]) -> str:
    """One line for each parser: files tried, read, refused; faults."""
    lines = [f"{'parser':14s} {'files':>7s} {'read':>7s} {'refused':>7s} {'faults':>7s}"]
    for name, outcome in outcomes.items():
        counts = (outcome.tried, outcome.read, outcome.refused, len(outcome.faults))
        lines.append(f"{name:14s} " + " ".join(f"{count:7d}" for count in counts))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
