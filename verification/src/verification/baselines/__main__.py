"""`python -m verification.baselines charge_first`, or `save_first`: with the settings of Payment."""

import asyncio
import sys

from verification.baselines.charge_first import ChargeFirst
from verification.baselines.save_first import SaveFirst, expire_abandoned
from verification.baselines.service import serve

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["charge_first"]:
            asyncio.run(serve(ChargeFirst, None))
        case ["save_first"]:
            asyncio.run(serve(SaveFirst, expire_abandoned))
        case _:
            sys.exit("Use `python -m verification.baselines charge_first`, or `save_first`.")
