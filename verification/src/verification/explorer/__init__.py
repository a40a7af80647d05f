"""Runs the production use cases through every interleaving of a small world.

    programs.py    what can be asked of a replica: each is a use case of the Payment service
    threads.py     a use case under way, as a value: its state is the list of the answers it got
    states.py      a state of the whole world, as small integers
    steps.py       every step that can follow from a state, faults among them
    judging.py     what must hold of every step
    exploring.py   breadth first, with the invariants in every state and liveness from every state
    scenarios.py   the worlds that are explored
    telling.py     a broken rule, told by the shortest way to it

There is no lease, no lock and no schedule in here: any replica may stop between any two calls, for
ever or for hours, and another may take its payment up at any moment.
"""
