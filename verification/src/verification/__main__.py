"""`python -m verification bench`: measure what a call costs."""

import sys

from verification import bench

if __name__ == "__main__":
    if sys.argv[1:] != ["bench"]:
        sys.exit("Say `python -m verification bench`.")
    bench.run()
