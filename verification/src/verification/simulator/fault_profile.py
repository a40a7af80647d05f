"""Fault profile of one run: which faults are injected, how often, for how long.

Each seed has a profile of its own. Some have only lost replies, others only crashes, some no fault: one
mixture for all would hide what shows only where a single fault is frequent.
"""

from collections import Counter
from random import Random

from verification.world.calls import Call
from verification.world.faults import CallFault, ProcessFault, possible_faults

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
CALL_FAULT_RATES = (0.0, 0.05, 0.1, 0.2, 0.4)
"""The share of calls on one port that have a fault."""
REDUCED_RATES = {"create": 0.3, "find": 0.2, "find_conflicts": 0.3, "claim_due": 0.1, "stream": 0.3}
"""Calls with fewer faults: before a payment is recorded there is little to lose."""
CRASH_RATES, PAUSE_RATES = (0.0, 0.0, 0.02, 0.08), (0.0, 0.0, 0.01, 0.04)
"""The share of calls around which a replica crashes, or pauses."""
MAX_CRASHES, MAX_PAUSES = 8, 4
BULKHEAD_SLOTS = (1, 2, 20)
"""How many calls of callers a replica has at the processor at once: with one, some find none free."""
# Each tuple below holds upper bounds in seconds, of which one is drawn.
TIMEOUTS = {"processor": (0.01, 1.0, 20.0), "customers": (0.01, 5.0)}
"""When a caller gives up: rejected at once, or its time-out (20 s at the processor)."""
STATEMENT_TIMEOUTS = (0.01, 1.0, 5.0)
REQUEST_DELAYS = {
    "post": (1.0, 30.0, 5 * MINUTE, 2 * HOUR, 30 * HOUR),
    "create": (1.0, 30.0, 30 * HOUR),
    "refund": (1.0, 30.0, 5 * MINUTE, 20 * HOUR),  # assumption Z: far less than a key lives
}
STATEMENT_DELAYS = (1.0, 10.0, MINUTE)
"""When a call arrives that no caller waits for any more."""
REPLY_DELAYS = {"processor": (5.0, 19.0), "customers": (4.0,)}
STATEMENT_REPLY_DELAYS = (4.0, 30.0)  # a commit can hang longer than a statement may run
HANGING_COMMITS = (1.0, 20.0, 20 * MINUTE, 10 * HOUR)
"""How long a commit hangs: far less than a day (assumption Y)."""
STATEMENT_TIMEOUT_SECONDS = 5.0
"""How long a statement waits for another's commit before the database ends it."""


class FaultProfile:
    """The faults of one run. `counts` is how often each kind was injected."""

    def __init__(self, random: Random) -> None:
        self.counts: Counter[str] = Counter()
        self.has_ended = False
        self._random = random
        ports = ("processor", "payments", "customers")
        rates = {port: random.choice(CALL_FAULT_RATES) for port in ports}
        rates["refunds"] = rates["events"] = rates["notifications"] = rates["payments"]
        self._rates = rates
        self._kinds = {fault for fault in CallFault if random.random() < 0.7}
        self._crash_rate = random.choice(CRASH_RATES)
        self._pause_rate = random.choice(PAUSE_RATES)
        self._crashes_left, self._pauses_left = MAX_CRASHES, MAX_PAUSES
        self._max_latency = random.choice((0.005, 0.05, 1.0))
        self.duration = random.choice((MINUTE, 10 * MINUTE, 2 * HOUR, 26 * HOUR))
        self._outages = [
            self._outage(random.choice(ports)) for _ in range(random.choice((0, 0, 0, 0, 1, 2)))
        ]
        self._outages_end = max((end for _, _, end in self._outages), default=0.0)
        self.bulkhead_slots = random.choice(BULKHEAD_SLOTS)

    def _outage(self, port: str) -> tuple[str, float, float]:
        begin = self._up_to((10.0, MINUTE, self.duration))
        return port, begin, begin + self._random.choice((5.0, 2 * MINUTE, 20 * MINUTE, 3 * HOUR))

    def end(self) -> None:
        """From now on no fault is injected."""
        self.has_ended = True

    # ------------------------------------------------------------------ calls

    def call_fault(self, call: Call, now: float) -> CallFault:
        """The fault of a call that is sent now."""
        if self.has_ended:
            return CallFault.NONE
        if now < self._outages_end and self._is_in_outage(call.port, now):
            self.counts["outage"] += 1
            return CallFault.REQUEST_LOST
        if self._random.random() >= self._rates[call.port] * REDUCED_RATES.get(call.name, 1.0):
            return CallFault.NONE
        possible = (*possible_faults(call), CallFault.REPLY_DELAYED)
        enabled = [fault for fault in possible if fault in self._kinds]
        if not enabled:
            return CallFault.NONE
        fault = self._random.choice(enabled)
        self.counts[kind_of(fault)] += 1
        return fault

    def _is_in_outage(self, port: str, now: float) -> bool:
        kind = port if port in TIMEOUTS else "payments"
        return any(each == kind and begin <= now < end for each, begin, end in self._outages)

    def latency(self) -> float:
        """Seconds that a message takes."""
        return self._random.random() * self._max_latency

    def reply_delay(self, call: Call) -> float:
        """Seconds until a delayed reply arrives."""
        return self._up_to(REPLY_DELAYS.get(call.port, STATEMENT_REPLY_DELAYS))

    def timeout(self, call: Call) -> float:
        """Seconds until the caller of a call gives up. Recovery's claim takes longer: it is sent again
        each second, and would be most of the run.
        """
        if call.name == "claim_due":
            return self._up_to((1.0, MINUTE, 10 * MINUTE))
        return self._random.choice(TIMEOUTS.get(call.port, STATEMENT_TIMEOUTS))

    def request_delay(self, call: Call) -> float:
        """Seconds until a delayed request arrives."""
        if call.port == "processor":
            return self._up_to(REQUEST_DELAYS.get(call.name, STATEMENT_DELAYS))
        return self._up_to(STATEMENT_DELAYS)

    def hanging_commit(self) -> tuple[float, bool]:
        """How long a commit hangs, and whether it commits in the end or is rolled back."""
        return self._up_to(HANGING_COMMITS), self._random.random() < 0.7

    # ------------------------------------------------------------------ processes

    def process_fault(self) -> ProcessFault | None:
        """The fault of the replica that makes a call."""
        if self.has_ended:
            return None
        drawn = self._random.random()
        if drawn < self._crash_rate:
            if not self._crashes_left:
                return None
            self._crashes_left -= 1
            self.counts["crash"] += 1
            return self._random.choice((ProcessFault.CRASH_BEFORE, ProcessFault.CRASH_AFTER))
        if drawn < self._crash_rate + self._pause_rate:
            if not self._pauses_left:
                return None
            self._pauses_left -= 1
            self.counts["pause"] += 1
            return self._random.choice((ProcessFault.PAUSE_BEFORE, ProcessFault.PAUSE_AFTER))
        return None

    def downtime(self) -> float:
        """Seconds until a crashed replica is started again."""
        return self._up_to((0.5, 5.0, 2 * MINUTE))

    def pause(self) -> float:
        """Seconds of a pause: some longer than a claim, than an insert's deadline, than the time to
        start.
        """
        return self._up_to((5.0, 40.0, 2 * MINUTE, HOUR))

    def _up_to(self, bounds: tuple[float, ...]) -> float:
        return self._random.random() * self._random.choice(bounds)


def kind_of(fault: CallFault) -> str:
    """The name of a fault in the counts."""
    return fault.name.lower().replace("_", " ")
