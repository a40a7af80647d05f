"""Model checker: runs the production use cases through every interleaving of a small world.

    programs.py          what a replica can be asked for: each is a use case of the Payment service
    coroutine_replay.py  a use case in progress, as a value: the results of its calls so far
    state_space.py       a state of the whole world, as small integers
    successors.py        every transition that can follow from a state, with faults
    checks.py            what must hold of every transition
    search.py            breadth first: safety in every state, liveness from every state
    scenarios.py         the worlds that are explored
    trace_format.py      the shortest trace to a violation, in words

It proves that no interleaving of a scenario breaks a rule of money, and that from every state
recovery alone brings every payment to its end. There is no lease, no lock and no schedule: any replica
may stop between any two calls, for ever or for hours, while another takes over its payment.

    make explore                   every scenario, a few minutes
    make explore OPTIONS=--slice   under a minute, with every change
    make explore OPTIONS=--wide    one fault or one replica more, half an hour
"""
