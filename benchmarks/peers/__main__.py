"""``python benchmarks/peers``: the command."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a folder, Python puts that folder on its path; the package is what lies around it.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from peers.command import main

    main()
