"""Reconciliation: compares Payment's records with the processor's while the service runs.

Nothing of the service imports it. In the order of reading:

command      `python -m payment reconcile`: arguments, what it is built of, exit code
reconcile    one reconciliation, slice of time by slice of time
comparison   how the records of one payment differ: pure functions of values
orphans      intents of this installation that no payment has
report       what was found, as text and as JSON
sources      the records of both sides, read page by page
ports        the interfaces to both sides
stripe       the processor's listing, at Stripe
postgresql   the internal records, in PostgreSQL
memory       the internal records, in memory, for tests
"""
