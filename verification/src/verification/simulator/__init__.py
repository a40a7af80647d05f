"""Runs the production use cases and recovery in a simulated world, from a seed.

    loop.py        an event loop with virtual time, whose order is drawn
    weather.py     what a seed lets go wrong
    network.py     calls on their way: lost, late, hanging, answered
    replicas.py    the service, several times, until it dies or stands still
    orders.py, shops.py, payers.py   what people do, and what they must hear
    ledger.py      the oracle: the processor's movements
    simulation.py  one run, from trouble to peace to rest
    trace.py       a run in words
    running.py     many runs, on every core

The same seed is the same run, to the last call.
"""

from verification.simulator.running import Violation, find_violation

__all__ = ["Violation", "find_violation"]
