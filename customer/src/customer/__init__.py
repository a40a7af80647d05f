"""The Customer service: registers customers and keeps their personal details.

__main__       the composition root: settings in, a running server out
settings       the service's settings, from its environment
domain         what a customer is and may do
service_layer  the use cases, on ports
repository     where customers are kept: PostgreSQL, or memory
api            the service as gRPC
"""
