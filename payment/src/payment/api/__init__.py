"""The service as gRPC, over HTTP what the processor tells of its own accord, and the report.

servicer        its methods, each as thin as it can be
conversions     protobuf to values, naming the field of every bad one, and back
outliving       work that goes on when its caller has left
errors          what is refused, as a status with details
webhooks        the processor's webhooks: taken as hints
signature       whether a webhook is the processor's
stripe_events   what of an event is of use
reconciliation  what `reconcile` is told, and its report
"""
