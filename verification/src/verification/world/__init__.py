"""A world to run the production use cases in: the store in memory, the sandbox's decision, a clock.

    calls.py         a call of a use case as a value
    faults.py        what can go wrong with a call and with a process
    requests.py      requests to pay
    use_cases.py     the production use cases, on ports that hand every call to a driver
    world.py         performs a call
    invariants.py    what must hold at every instant, and what once everything has settled
    balance.py       what money moved under an intent, by the processor's ledger
    trace_format.py  values as the words of a trace

It proves nothing by itself. Two drivers share it: `verification.explorer` tries every order of the
calls of a small world (`make explore`), `verification.simulator` a random one of a larger world, from
a seed (`make simulate`). Chaos checks the same invariants on real processes (`make chaos`).
"""
