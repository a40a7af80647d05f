"""Wrong versions of the rules, each of which the explorer or the simulator must catch.

A rule that looks like a detail is one whose wrong version charges twice, loses a payment or lies.
Each mutant is the production code with one such mistake: an edit of its text, in a copy. One that
nothing catches is a hole in the tools, not a harmless mistake.

    mutant.py      what a mutant is
    creation.py    mistakes on the way from a request to its first answer
    movement.py    mistakes about what a payment makes of the processor's word
    keeping.py     mistakes of the store, of captures, cancellations and deletions
    giving_back.py mistakes with refunds
    going_on.py    mistakes of the schedule, of claims, of the stream of events
    hunting.py     makes the copy, lets the tools loose on it
"""
