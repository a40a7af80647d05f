"""The use cases of customers: plain functions on ports. No gRPC, no SQL.

ports         what the use cases need from outside
registration  a new customer, once
changes       update, delete, undelete, erase
"""
