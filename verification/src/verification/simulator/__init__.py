"""Deterministic simulator: runs the production use cases and recovery in virtual time, from a seed.

    loop.py                   an event loop with virtual time and a random order
    fault_profile.py          which faults a seed injects, how often, for how long
    simulated_ports.py        the calls of replicas: delayed, lost, hanging, answered
    replicas.py               a replica of the service, until it crashes
    requests.py               what callers buy
    clients.py                callers, and the history of their responses
    event_reader.py           a reader of the stream of events
    three_d_secure_payers.py  payers at the page of 3D Secure
    merchant_actions.py       a merchant at the processor's dashboard
    webhook_delivery.py       the processor's webhooks
    ledger.py                 the oracle: the processor's movements of money
    simulation.py             one run: faults, then quiescence
    trace.py                  the trace of a run
    runner.py                 many runs, on every core

It proves by sampling what the explorer cannot reach: long histories of several payments, with
timeouts, the schedule of recovery, crashes and pauses at any await. The same seed is the same run, to
the last call.

    make simulate SEEDS=10000   so many seeds
    make simulate SEED=4711     the trace of one
"""

from verification.simulator.runner import Violation, find_violation

__all__ = ["Violation", "find_violation"]
