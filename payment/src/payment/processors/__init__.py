"""Card processors behind the port `payment.service_layer.ports.Processor`. They decide nothing.

stripe  Stripe
"""
