"""A stand-in for Stripe: what it decides is one pure function, and an HTTP server stands around it.

Read in this order: `objects` (what there is), `actions` (what can be asked), `world` (where it is
kept), `transition` (what is decided, with `intents` and `refunds`); then the shell: `books` and
`ledger` (memory and disk of the server), `sandbox` (both, behind one function), `parameters` and
`rendering` (Stripe's forms and JSON), `api`, `three_d_secure`, `control`, `faults`, `webhooks`.
"""
