"""The Customer service behind the port `payment.service_layer.ports.Customers`.

client  asks it over gRPC
"""
