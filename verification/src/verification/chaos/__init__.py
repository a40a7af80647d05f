"""Chaos on real processes: everything is killed, paused and cut off, and then the money is counted.

Proven: under `kill -9` of services and of PostgreSQL, lost connections, partitions, late requests and a
processor that fails, each order is charged at most once, no payment is lost, and every answer and event
was true. By `make chaos` (minutes; SECONDS= KILLS= SEED= KEY_LIFE= REFUNDS=), and the baselines by
`make chaos DESIGN=charge_first` and `DESIGN=save_first`, in which the oracle must find something.

    plan.py               what a run is asked to do
    run.py                one run, from the first process to the verdict; report.py: what it found
    testbed.py            all processes and the proxies between them
    proxy.py              the network; protocol_parsers.py: what passes it, by name;
                          fault_points.py: faults that wait for a named request
    fault_injection.py    everything that goes wrong; fault_profile.py: what the processor does wrong
    clients.py            merchants; requests.py: what they asked for and were answered;
                          event_reader.py: a reader of the event stream
    quiescence.py         until nothing is in progress any more
    ledger.py             the processor's side; snapshot.py: ours; oracle.py compares them;
                          shared_invariants.py: the explorer's and the simulator's, on real tables

Traffic stays on the loopback, and only processes that were started here are ever signalled.
"""
