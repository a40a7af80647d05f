"""What tries to break Oncepay, and what measures it. No service imports it."""
