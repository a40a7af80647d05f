"""Where payments, refunds and events are kept, twice, under one suite of contract tests.

postgresql  for the service
memory      for tests, for the explorer and the simulator, and to read what the ports mean
cursor      the position of an event in the stream, as both write it
"""
