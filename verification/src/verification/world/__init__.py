"""A world to try the use cases in: the store in memory, the sandbox's own decision, a clock.

    calls.py       what a use case asks of the world, as a value, and what may become of it
    use_cases.py   the production use cases, on ports that hand every call to a driver
    world.py       the world that does a call
    invariants.py  what must hold of it, always and at rest

Two drivers share it: `verification.explorer` tries every order of the calls of a small world,
`verification.simulator` a random one of a larger world, from a seed. Nothing here knows which of them asks.
"""
