"""What a run is asked to do, and the bounds of what it does."""

from dataclasses import dataclass

ONCEPAY = "oncepay"
POST_WITHIN_SECONDS = 10.0
"""How soon a refund leaves after the list that did not name it (payment.domain.refund)."""
RESTART_SECONDS = (0.0, 0.6)
"""Between the end of a process and its next start."""
CLIENTS = 20
CALL_SECONDS = 6.0
"""A client's deadline: shorter than most faults, so that it must repeat its calls."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Durations are in seconds.

    Attributes:
        design: `oncepay`, or the name of a baseline.
        seconds: how long faults go on, at least.
        kills: faults go on until so many services were killed.
        payments: faults go on until so many payments were answered.
        seed: of every choice that is made here. Two runs differ all the same: processes do.
        key_life: how long the processor keeps an idempotency key.
        replica_life: how long a replica lives before it is killed, on the average.
        database_kill_interval: between two kills of PostgreSQL, on the average.
        quiescence: how long everything may take to come to rest by itself afterwards.
        pause: how long a replica is paused: longer than a claim, and than any one call (25 s, 20 s).
        pause_interval: from the end of a pause to the next one, on the average.
        late: how long the network holds a late request back: longer than its caller waits.
        concurrent_refunds: so many refunds of one payment are asked for at once.
    """

    design: str = ONCEPAY
    seconds: float = 150.0
    kills: int = 0
    payments: int = 0
    seed: int = 1
    key_life: int = 20
    replica_life: float = 1.0
    database_kill_interval: float = 15.0
    quiescence: float = 180.0
    pause: float = 28.0
    pause_interval: float = 90.0
    late: float = 35.0
    concurrent_refunds: int = 0

    @property
    def is_baseline(self) -> bool:
        return self.design != ONCEPAY

    @property
    def refunds(self) -> bool:
        """Whether refunds are made. That a refund is paid out once rests on its key living longer
        than a POST may take (assumption Z): from the list before it, over the longest pause and
        the longest delay of this run. Payments rest on no such thing.
        """
        return self.key_life > POST_WITHIN_SECONDS + self.pause + self.late
