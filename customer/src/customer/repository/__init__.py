"""Where customers are kept, twice, under one suite of contract tests.

postgresql  for the service
memory      for tests, and to read what the port means
"""
