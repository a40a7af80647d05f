"""What a payment is and may do. Standard library only: no I/O, no clock, no random.

values          checked values: money, a card's token, the caller's words
payment         the payment, and what people may ask of it
evidence        what the processor may say of an intent
machine         what a payment makes of that, and the one call that may follow
birth           how an attempt becomes a payment, or does not
refund          money on its way back
schedule        when an unfinished payment or refund is looked at again
hint            what the processor tells of its own accord: a reason to ask, never the truth
reconciliation  the processor's books and ours, compared
events          what is told of a change
errors          what is refused, and why
"""
