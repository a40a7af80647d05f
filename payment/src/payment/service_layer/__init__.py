"""The use cases of Payment, on ports. No gRPC, no SQL, no Stripe.

ports                  what the use cases need of the world
create_payment         the way of a payment, from the request to its first answer
step                   the driver of an unfinished payment: read, ask, apply, call, apply
change_payment         capture, cancel, update, delete, undelete, release
refunds                refunds, and the driver of an unfinished one
webhook_notifications  records a webhook, and wakes recovery
recovery               takes up what is due, and steps it
stall_alerts           alerts when the event stream or recovery stalls
alert_throttle         when an alert that still holds is raised again
events                 reads the stream of events
"""
