"""The use cases of Customer, on ports. No gRPC, no SQL.

ports            what the use cases need from outside
create_customer  creates a customer, once for each request
change_customer  update, delete, undelete, erase
"""
