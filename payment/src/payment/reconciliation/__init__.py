"""Compares the payments of a time with the processor's, both ways, while the service runs.

Whoever follows a payment never comes here: nothing of the service imports it.

ports       what a reconciliation needs of the world
comparison  what both sides say of the same money, compared: pure functions
sources     both sides, read page by page
reconcile   the reconciliation itself
report      what the command is told, and its report
stripe      Stripe's lists
postgresql  our records in PostgreSQL
memory      our records in memory, for tests
"""
