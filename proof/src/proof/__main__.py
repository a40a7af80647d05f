"""`python -m proof bench`: measure what a call costs."""

import sys

from proof import bench

if __name__ == "__main__":
    if sys.argv[1:] != ["bench"]:
        sys.exit("Say `python -m proof bench`.")
    bench.run()
