"""The service as gRPC.

servicer     its methods, each as thin as it can be
conversions  protobuf to domain values, naming the field of every invalid one, and back
errors       the table of the service's errors, as statuses
"""
