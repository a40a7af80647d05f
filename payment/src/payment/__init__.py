"""The Payment service: executes payments through a card processor, once, and keeps them.

__main__        the composition root: settings in, a running server out, or one command done
settings        what it is told by its environment
domain          what a payment is and may do
service_layer   the use cases, on ports
repository      where payments are kept: PostgreSQL, or memory
processors      the card processors: Stripe
customers       the Customer service, asked whether a customer may pay
api             the service as gRPC, and the processor's webhooks
reconciliation  compares the payments with the processor's, by a command of its own
rebinding       what a restored database needs before it may act again
"""
