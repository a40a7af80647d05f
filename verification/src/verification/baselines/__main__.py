"""`python -m verification.baselines charge_first`, or `save_first`: settings as Payment's own."""

import asyncio
import sys

from verification.baselines.charge_first import ChargeFirst
from verification.baselines.save_first import SaveFirst, give_up
from verification.baselines.serving import serve

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["charge_first"]:
            asyncio.run(serve(ChargeFirst, None))
        case ["save_first"]:
            asyncio.run(serve(SaveFirst, give_up))
        case _:
            sys.exit("Say `python -m verification.baselines charge_first`, or `save_first`.")
