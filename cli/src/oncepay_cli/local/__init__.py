"""Oncepay on one machine: PostgreSQL, the sandbox and both services as processes of one command."""
