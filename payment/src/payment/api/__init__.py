"""The service as gRPC, and the processor's webhooks over HTTP.

servicer          the methods of PaymentService, each as thin as it can be
conversions       protobuf to values, naming the field of every bad one, and back
background_tasks  work that goes on when its caller has left
errors            domain errors as a status with details
webhooks          the endpoint of the processor's webhooks
"""
