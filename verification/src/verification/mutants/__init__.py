"""Mutation testing of the rules of money: wrong versions, each of which the tools must kill.

A rule that looks like a detail is one whose wrong version charges twice, loses a payment or lies. Each
mutant is the production code with one such mistake, as a text edit in a copy. It proves that the
explorer and the simulator would notice: a mutant that survives is a hole in the tools, not a harmless
mistake.

    mutant.py       what a mutant is
    creation.py     mistakes from a request to its first response
    transitions.py  mistakes about what a payment makes of evidence
    storage.py      mistakes of the store, of captures, cancellations and deletions
    refunds.py      mistakes with refunds
    background.py   mistakes of the schedule, of claims, of the stream of events
    catalogue.py    all of them
    runner.py       makes the copy, and runs the tools on it

    make mutants                         all of them, a few minutes
    make mutants OPTIONS=reference       those whose mistake contains a word
"""
