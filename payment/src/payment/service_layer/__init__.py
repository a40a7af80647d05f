"""The use cases of Payment: short stories on ports. No gRPC, no SQL, no Stripe.

ports            what the use cases need of the world
create_payment   the way of a payment, from the request to its first answer
step             the one driver of an unfinished payment: read, ask, apply, call, apply
change_payment   what people ask of a payment: capture, cancel, update, delete, release
refunds          money back, and the driver of an unfinished refund
hints            what becomes of what the processor tells of its own accord
recovery         takes up what is due, and steps it
lookout          whether the stream and recovery go on, and an alarm where they do not
reminders        when an alarm that still holds is raised again
events           reads the stream of events
reconcile        compares the processor's books with ours, and mends what may be
both_sides       both books, read page by page
"""
