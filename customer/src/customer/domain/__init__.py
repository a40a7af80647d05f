"""What a customer is and may do: no I/O, no clock, no random. Standard library only, with one
exception: `email_validator`, because what an email address looks like is written in eight RFCs.

values    checked values: the customer's name, display name, email address, telephone number
customer  the customer, the request that creates it, and the changes that it allows
errors    the errors of Customer
"""
