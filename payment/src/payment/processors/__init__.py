"""Card processors behind the port `payment.service_layer.ports.Processor`: Stripe. Nothing here decides
anything about a payment.

stripe      makes the calls
replies     reads what comes back
currencies  where Stripe's amounts differ from ISO 4217
share       bounds the calls that callers may cause
"""
