"""What a seed lets go wrong: which mishaps, how often, for how long. At last the weather clears.

Each seed has a weather of its own, so that some are all lost replies, others all crashes, some calm:
a mixture that is the same everywhere would hide what only shows where a single thing goes wrong often.
"""

from collections import Counter
from enum import Enum
from random import Random

from verification.world.calls import Call, Fate, mishaps

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
RISKS = (0.0, 0.05, 0.1, 0.2, 0.4)
"""The share of calls to one port that go wrong."""
CALMER = {"create": 0.3, "standing": 0.2, "look_up": 0.3, "claim_due": 0.1, "stream": 0.3}
"""Calls that go wrong less often: before a payment is recorded there is little to be lost."""
CRASHES, PAUSES = (0.0, 0.0, 0.02, 0.08), (0.0, 0.0, 0.01, 0.04)
"""The share of calls before or after which a replica dies, or stands still."""
MAX_CRASHES, MAX_PAUSES = 8, 4
SILENCE = {"processor": (0.01, 1.0, 20.0), "customers": (0.01, 5.0)}
"""Seconds until a caller gives up: refused at once, or its time-out (20 s at the processor)."""
SILENCE_OF_THE_DATABASE = (0.01, 1.0, 5.0)
LATE = {
    "post": (1.0, 30.0, 5 * MINUTE, 2 * HOUR, 30 * HOUR),
    "create": (1.0, 30.0, 30 * HOUR),
    "refund": (1.0, 30.0, 5 * MINUTE, 20 * HOUR),  # assumption Z: far less than a key lives
}
"""At most how much later a call takes effect that nobody waits for any more."""
SLOW = {"processor": (5.0, 19.0), "customers": (4.0,)}
SLOW_IN_THE_DATABASE = (4.0, 30.0)  # a commit can hang longer than a statement may run
"""At most how long an answer takes that comes at last."""
LATE_IN_THE_DATABASE = (1.0, 10.0, MINUTE)
HANGING = (1.0, 20.0, 20 * MINUTE, 10 * HOUR)
"""At most how long a commit hangs: far less than a day (assumption Y)."""
STATEMENT_SECONDS = 5.0
"""How long a statement waits for another's commit before the database ends it."""


class Blow(Enum):
    """What may befall a replica at a call."""

    DIES_BEFORE = "dies before it calls"
    DIES_AFTER = "dies before it hears the answer"
    SLEEPS_BEFORE = "stands still before it calls"
    SLEEPS_AFTER = "stands still before it hears the answer"


class Weather:
    """The weather of one run. `met` counts what went wrong, by its kind."""

    def __init__(self, random: Random) -> None:
        self.met: Counter[str] = Counter()
        self.is_over = False
        self._random = random
        ports = ("processor", "payments", "customers")
        risks = {port: random.choice(RISKS) for port in ports}
        risks["refunds"] = risks["events"] = risks["notifications"] = risks["payments"]
        self._risks = risks
        self._kinds = {fate for fate in Fate if random.random() < 0.7}
        self._crash = random.choice(CRASHES)
        self._pause = random.choice(PAUSES)
        self._crashes, self._pauses = MAX_CRASHES, MAX_PAUSES
        self._speed = random.choice((0.005, 0.05, 1.0))
        self.ends = random.choice((MINUTE, 10 * MINUTE, 2 * HOUR, 26 * HOUR))
        self._outages = [
            self._outage(random.choice(ports)) for _ in range(random.choice((0, 0, 0, 0, 1, 2)))
        ]

        self._outages_end = max((ends for _, _, ends in self._outages), default=0.0)

    def _outage(self, port: str) -> tuple[str, float, float]:
        begins = self._random.random() * self._random.choice((10.0, MINUTE, self.ends))
        lasts = self._random.choice((5.0, 2 * MINUTE, 20 * MINUTE, 3 * HOUR))
        return port, begins, begins + lasts

    # ------------------------------------------------------------------ calls

    def fate(self, call: Call, now: float) -> Fate:
        """What becomes of a call that is sent now."""
        if self.is_over:
            return Fate.DONE
        if now < self._outages_end and self._is_away(call.port, now):
            self.met["away"] += 1
            return Fate.NEVER
        if self._random.random() >= self._risks[call.port] * CALMER.get(call.name, 1.0):
            return Fate.DONE
        possible = [fate for fate in (*mishaps(call), Fate.SLOW) if fate in self._kinds]
        if not possible:
            return Fate.DONE
        fate = self._random.choice(possible)
        self.met[fate.name.lower()] += 1
        return fate

    def _is_away(self, port: str, now: float) -> bool:
        kind = port if port in SILENCE else "payments"
        return any(one == kind and begins <= now < ends for one, begins, ends in self._outages)

    def travel(self) -> float:
        """Seconds that a message takes."""
        return self._random.random() * self._speed

    def slowness(self, call: Call) -> float:
        """Seconds that a slow answer takes."""
        return self._random.random() * self._random.choice(
            SLOW.get(call.port, SLOW_IN_THE_DATABASE)
        )

    def patience(self, call: Call) -> float:
        """Seconds until the caller of a call takes it for unanswered. Recovery's look at the database
        takes longer: it would come again each second.
        """
        if call.name == "claim_due":
            return self._random.random() * self._random.choice((1.0, MINUTE, 10 * MINUTE))
        return self._random.choice(SILENCE.get(call.port, SILENCE_OF_THE_DATABASE))

    def lateness(self, call: Call) -> float:
        """Seconds after which a late call arrives."""
        return self._random.random() * self._random.choice(
            LATE.get(call.name, LATE_IN_THE_DATABASE)
            if call.port == "processor"
            else LATE_IN_THE_DATABASE
        )

    def hanging(self) -> tuple[float, bool]:
        """How long a commit hangs, and whether it commits at last, or is rolled back."""
        return self._random.random() * self._random.choice(HANGING), self._random.random() < 0.7

    # ------------------------------------------------------------------ replicas

    def blow(self) -> Blow | None:
        """What befalls the replica that makes a call."""
        if self.is_over:
            return None
        drawn = self._random.random()
        if drawn < self._crash:
            if not self._crashes:
                return None
            self._crashes -= 1
            self.met["crash"] += 1
            return self._random.choice((Blow.DIES_BEFORE, Blow.DIES_AFTER))
        if drawn < self._crash + self._pause:
            if not self._pauses:
                return None
            self._pauses -= 1
            self.met["pause"] += 1
            return self._random.choice((Blow.SLEEPS_BEFORE, Blow.SLEEPS_AFTER))
        return None

    def downtime(self) -> float:
        """Seconds until a dead replica is started again."""
        return self._random.random() * self._random.choice((0.5, 5.0, 2 * MINUTE))

    def sleep(self) -> float:
        """Seconds for which a replica stands still: some longer than a claim, a fence, a start."""
        return self._random.random() * self._random.choice((5.0, 40.0, 2 * MINUTE, HOUR))

    def clear(self) -> None:
        """From now on nothing goes wrong."""
        self.is_over = True
