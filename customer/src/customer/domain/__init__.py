"""What a customer is and may do: no I/O, no clock, no random. Standard library only, with one
exception: `email_validator`, because what an email address looks like is written in eight RFCs.

values    checked values: the customer's name, display name, email address, telephone number
customer  the customer, its registration, and the changes it allows
errors    what is refused, and why
"""
