"""What a payment is and may do. Standard library only: no I/O, no clock, no random.

values                checked values: money, a card's token, resource names
payment               the payment, and what callers may ask of it
customer              the customer who pays, and whether they may
evidence              what the processor may reply about an intent
machine               what a payment makes of that, and the one call that may follow
creation              how a creation attempt becomes a payment, or does not
refund                the refund of a payment
schedule              when an unfinished payment or refund is looked at again
webhook_notification  a webhook of the processor: a reason to ask, never the truth
events                domain events of payments and refunds
errors                what is refused, and why
"""
