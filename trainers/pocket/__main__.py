"""Trains the pocket family, in the environment of `make pocket`: python -m trainers.pocket [names ...]."""

import argparse
import os
from pathlib import Path

from trainers.pocket.family import FAMILY, train_member

MEMBERS = Path(__file__).parents[2] / "data" / "pocket"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m trainers.pocket", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"default: all of {', '.join(FAMILY)}")
    parser.add_argument("--members", type=Path, default=MEMBERS, help="where they go; what is finished there stays")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - FAMILY.keys()):
        parser.error(f"there is no {', '.join(unknown)}; the family is {', '.join(FAMILY)}")
    import torch

    torch.set_num_threads(1)  # a second thread costs more than it brings at this size
    torch.use_deterministic_algorithms(True)
    for name in options.names or FAMILY:
        used = train_member(name, options.members, lambda said: print(said, flush=True))
        print(f"{name}: {used / 60:.1f} CPU-min, in {options.members / name}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 32))
    main()
