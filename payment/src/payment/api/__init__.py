"""The service as gRPC.

servicer     its methods, each as thin as it can be
conversions  protobuf to values, naming the field of every bad one, and back
outliving    work that goes on when its caller has left
errors       what is refused, as a status with details
"""
