"""Two ordinary designs of a Payment service, for the comparison under chaos and for nothing else.

    charge_first.py   charge, then save
    save_first.py     save, charge, and take a time-out for a failure

They are what one finds: careful, readable, with unique constraints, and without the one thing that
Oncepay is about. Both speak CreatePayment and GetPayment on the same processor and PostgreSQL.
"""

SCHEMAS: dict[str, str] = {}
