"""A fake Stripe: one pure function decides, and an HTTP server wraps it.

Read in this order: `objects` (intents, refunds, events), `actions` (requests), `world` (the state),
`transition` (the decision, with `intents` and `refunds`). Then the server: `mutable_world` (the state in
memory) and `ledger` (on disk), `sandbox` (both, behind `perform`), `parameters` and `rendering` (Stripe's
forms and JSON), `api`, `three_d_secure`, `control`, `faults`, `webhooks`.
"""
