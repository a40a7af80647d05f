"""Chaos on real processes: everything is killed, stopped and cut off, and then the money is counted.

    plan.py          what a run is asked to do
    arena.py         all parts, each a process; parts.py: how one is killed and started again
    proxy.py         the network between them; dialects.py: what passes it, by name;
                     traps.py: the named points
    storm.py         everything that goes wrong; weather.py: what the processor does wrong
    callers.py       shops; orders.py: what they wanted and were told; reader.py: of the events
    peace.py         until all is at rest
    ledger.py        the processor's side; facts.py: ours; oracle.py: the judge of both;
                     shared_rules.py: the explorer's and the simulator's rules, on real tables
    campaign.py      one run; report.py: what it found

Traffic stays on the loopback, and only processes that were started here are ever signalled.
"""

import os

# Processes are started while gRPC's threads run: its handlers of a fork would end the child.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
