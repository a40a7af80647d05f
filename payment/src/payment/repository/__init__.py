"""Where payments, refunds and events are kept, twice, under one suite of contract tests.

postgresql    for the service
memory        for tests, for what tries every interleaving, and to read what the ports mean
memory_books  the same for reconciliation
cursor        the place of an event in the stream, as both write it
"""
