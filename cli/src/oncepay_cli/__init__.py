"""The `oncepay` command: starts everything on one machine, registers customers, makes payments.

A client of the services like any other: it speaks gRPC to them, and imports neither.
"""
