"""Are the maps of random networks right, refused, or wrong without a word?

    python -m benchmarks.truth.random_networks [--networks 300] [--first 0]

Each network is drawn from a seed; the grid of its layers is known from its making. A map is right
if it is the one that autograd and that grid give (to 1e-6 of its largest value), and if a bright
patch in the input changes the layer most where the map has the patch. The exit status is 1 if any
map is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

import torch

from tests.support.generated_networks import generate
from tests.support.judged_networks import REFUSED, RIGHT, WRONG, judge


def main() -> int:
    """Judge the networks and print a table of layers; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--networks", type=int, default=300, help="how many (300)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    counts: dict[str, Counter[str]] = {}
    for seed in range(options.first, options.first + options.networks):
        one = generate(seed)
        for layer, verdict in judge(one, seed):
            counts.setdefault(one.kind, Counter())[verdict] += 1
            if verdict == WRONG:
                print(f"wrong: seed {seed}, {one.kind}, layer {layer}", flush=True)
    print(f"{'layers of':40s} {RIGHT:>8s} {REFUSED:>8s} {WRONG:>8s}")
    for kind, row in [*sorted(counts.items()), ("all", sum(counts.values(), Counter()))]:
        print(f"{kind:40s} {row[RIGHT]:8d} {row[REFUSED]:8d} {row[WRONG]:8d}")
    return 1 if any(row[WRONG] for row in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
