"""The `oncepay` command: starts everything on one machine, registers customers, executes payments.

It is an ordinary gRPC client of the services and imports neither.
"""
