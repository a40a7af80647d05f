"""The use cases of Payment, on ports. No gRPC, no SQL, no Stripe.

ports                what the use cases need from outside
create_payment       creates a payment: the way from the request to its first answer
change_payment       capture, cancel, update, delete, undelete, release
create_refund        creates a refund
read_events          reads the stream of events
record_notification  records a webhook, and wakes recovery
idempotent_requests  requests that are executed at most once
driver               drives payments and refunds: claim, step, reschedule, overdue
payment_driver       a step of an unfinished payment: read, ask, apply, call, apply
refund_driver        a step of an unfinished refund: list, post, apply
recovery             takes up what is due
bulkhead             bounds how much work of callers is at the processor
alerts               what a person has to look at
stall_alerts         alerts when the event stream or recovery stalls
"""
