"""The process in which one network is measured: repositories have modules of the same names.

python -m benchmarks.networks.child NAME CHECKOUTS RESULT
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.networks.catalogue import find_network
from benchmarks.networks.measuring import measure_network


def main(arguments: Sequence[str]) -> None:
    """Measure the network called NAME, and write its result to the file RESULT."""
    name, checkouts, result = arguments
    network = find_network(name)
    if network.repository:
        # As a user has it who runs the command in the checkout.
        os.chdir(Path(checkouts) / network.repository)
        sys.path[:0] = [str(Path(one).resolve()) for one in network.folders]
    found = measure_network(network)
    Path(result).write_text(json.dumps(vars(found)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
