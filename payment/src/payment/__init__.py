"""Executes payments through a card processor, once, and keeps them."""
