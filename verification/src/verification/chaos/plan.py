"""What a run is asked to do, and the bounds of what it does."""

from dataclasses import dataclass

POST_WITHIN_SECONDS = 10.0
"""How soon a refund leaves after the list that did not name it (payment.domain.refund)."""
PAUSE_SECONDS = (0.0, 0.6)
"""Between the end of a part and its next start."""
CALLERS = 20
CALL_SECONDS = 6.0
"""A caller's deadline: shorter than most faults, so that it must ask again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run.

    Attributes:
        design: `oncepay`, or the name of a baseline.
        seconds: how long the storm lasts, at least.
        kills: the storm goes on until so many services were killed.
        seed: of every choice that is made here. Two runs differ all the same: processes do.
        key_life: how long the processor keeps an idempotency key, seconds.
        life: how long a replica lives before it is killed, on the average, seconds.
        database_every: seconds between two kills of PostgreSQL, on the average.
        peace: how long everything may take to come to rest by itself afterwards, seconds.
        stop: how long a replica is stopped, seconds: longer than a claim, and than any one call
            (25 s, 20 s).
        stop_every: seconds between two such stops, on the average, beside their own length.
        late: how long the network holds a late request back: longer than its caller waits.
        refunds_at_once: so many refunds of one payment are asked for at once.
    """

    design: str = "oncepay"
    seconds: float = 150.0
    kills: int = 0
    seed: int = 1
    key_life: int = 20
    life: float = 1.0
    database_every: float = 15.0
    peace: float = 180.0
    stop: float = 28.0
    stop_every: float = 90.0
    late: float = 35.0
    refunds_at_once: int = 0

    @property
    def refunds(self) -> bool:
        """Whether refunds are made. That a refund is paid out once rests on its key living longer
        than a POST may take (assumption Z): from the list before it, over the longest stop and
        the longest delay of this storm. Payments rest on no such thing.
        """
        return self.key_life > POST_WITHIN_SECONDS + self.stop + self.late
