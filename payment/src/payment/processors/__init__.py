"""Card processors behind the port `payment.service_layer.ports.Processor`. They decide nothing.

stripe    Stripe
bulkhead  bounds the calls that callers may cause
"""
