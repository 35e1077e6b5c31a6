"""Put networks of well-known repositories through the tool, and print a table of what comes of it.

    python -m benchmarks.networks --checkouts FOLDER [--only NAME ...] [--json FILE]

FOLDER has one checkout for each repository, in a folder of the repository's name. Each network is
made by the factory in this package, with random weights, and explained on a clip in a process of
its own. Then its map is compared with Grad-CAM by hand, and its cells with the places and times at
which the input is changed. docs/networks.md says more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.networks.catalogue import NETWORKS, find_network
from benchmarks.networks.network import Network
from benchmarks.networks.results import FAULT, Result, markdown
from video_cam.errors import UsageError
from video_cam.utils.files import atomic_write
from video_cam.utils.names import check_names

EXIT_DONE, EXIT_FAULTS, EXIT_USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit status: 0 no fault, 1 at least one, 2 wrong arguments.
    """
    parsed = _parser().parse_args(arguments)
    try:
        check_names("network", parsed.only, [network.name for network in NETWORKS])
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE
    networks = [find_network(name) for name in dict.fromkeys(parsed.only)] or NETWORKS
    results = []
    for number, network in enumerate(networks, start=1):
        results.append(measure_in_child(network, parsed.checkouts, parsed.seconds))
        line = " | ".join(results[-1].cells)
        print(f"{number}/{len(networks)} {line}", file=sys.stderr, flush=True)
    print(markdown(results))
    if parsed.json:
        with atomic_write(parsed.json) as file:
            file.write(json.dumps([vars(result) for result in results], indent=1).encode())
    return EXIT_FAULTS if any(result.outcome == FAULT for result in results) else EXIT_DONE


def measure_in_child(network: Network, checkouts: Path, seconds: float) -> Result:
    """The result of a network, whatever its process does."""
    result = Result(network.name, network.repository, network.asked)
    if network.repository and not (checkouts / network.repository).is_dir():
        result.message = f"there is no folder {network.repository} among the checkouts"
        return result
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = [sys.executable, "-m", "benchmarks.networks.child"]
        command += [network.name, str(checkouts.resolve()), str(file)]
        try:
            done = subprocess.run(
                command, timeout=seconds, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        except subprocess.TimeoutExpired:
            result.message = f"not done in {seconds:.0f} seconds"
            return result
        if file.is_file():
            return Result.of(json.loads(file.read_text(encoding="utf-8")))
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    result.outcome = FAULT
    result.message = f"the process ended with status {done.returncode}: {''.join(last)}"
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.networks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--checkouts", type=Path, required=True, metavar="FOLDER", help="of the repositories"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="networks (default: all of them)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results there")
    parser.add_argument(
        "--seconds", type=float, default=600, help="for each network (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
