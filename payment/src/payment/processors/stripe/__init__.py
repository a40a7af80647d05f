"""All of Stripe: its calls, its replies, its currencies, its webhooks.

adapter     makes the calls
replies     reads what comes back
currencies  where Stripe's amounts differ from ISO 4217
webhooks    reads webhooks
signature   who sent a webhook
events      what an event is about
"""
