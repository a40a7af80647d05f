"""Words that must not come back: each stood for something that has a plain or a standard name.

The test reads every tracked text file. Three lists, because an English word may be fine in a
sentence and wrong as a name:

WORDS        in any text, in comments, strings, names and parts of names
PHRASES      in any text, also where a comment wraps between two of their words
IDENTIFIERS  whole names in code, and names that a document sets in `code`

Words with an ordinary meaning cannot be banned: *rest*, *share*, *place*, *sign*, *one*, *each*, *fact*,
*order*, *part*, *shop*. Their uses as names are in IDENTIFIERS and FILES.
"""

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WORDS = {
    r"born|births?": "created, creation",
    r"mend(s|ed|ing)?": "fix, repair",
    r"houses?": "repository, service",
    r"rooms": "packages",
    r"drawers?": "module, package",
    r"happenings?": "event",
    r"hint(s|ed)?": "webhook notification",
    r"surpris(e|es|ed|ing)": "unexpected",
    r"outliving": "background task",
    r"lookouts?": "metrics, alert rules",
    r"strays?": "orphan",
    r"eras?": "generation",
    r"adopt(s|ed|ing|ion|ions)?": "rebind; of a running server: reuse",
    r"breaths?": "debounce",
    r"unmoving": "non-financial",
    r"weather": "fault profile",
    r"peace": "quiescence",
    r"storms?": "chaos run",
    r"arenas?": "testbed",
    r"mishaps?": "fault",
    r"blows?": "fault",
    r"traps?": "fault point",
    r"dialects?": "protocol parser",
    r"shops": "clients, merchants",
    r"telling": "trace format",
    r"hunt(s|ing)?": "run",
}
PHRASES = {
    r"(a|an|the|this|every|each|per) room": "package",
    r"at home": "bound to this cluster",
    r"call(s|ed|ing)? (\w+ ){0,3}off": "cancel",
    r"(wait|waits|waiting) for a person": "needs manual review, is held",
    r"wakes? a person|person is woken": "raises an alert",
    r"processor's word|word of the processor": "the processor's reply, evidence",
    r"what is told of": "domain events of",
    r"(the|our|both|its|'s|whose) books": "ledger, records",
    r"overlays/bare": "overlays/no-dns",
    r"way-in|ways_in": "ingress",
    r"proof/\w*": "verification/",
}
IDENTIFIERS = {
    "Attempt": "CreationAttempt",
    "Mine": "OwnRow",
    "Theirs": "DuplicateRequest",
    "Lost": "Rejected",
    "InsertAgain": "RetryInsert",
    "Holders": "Conflicts",
    "by_request": "find_conflicts",
    "find_holder": "find_conflicts",
    "Claim": "UniqueKeys",
    "told": "has_event",
    "CALLED_OFF": "CANCEL_EVENTS",
    "REACHED": "EVENT_BY_STATE",
    "ListedState": "PublicState",
    "Seen": "Snapshot",
    "seen": "the thing that was read",
    "said": "the thing that was stated",
    "Stepped": "StepResult",
    "SteppedRefund": "StepResult",
    "Standing": "CustomerStatus",
    "standing": "customer_status",
    "Verdict": "CustomerStatus",
    "verdict": "status",
    "Faulted": "ServerError",
    "KeyMisused": "IdempotencyKeyConflict",
    "Unknown": "OutcomeUnknown",
    "Refused": "Rejection",
    "Refusal": "StartupError",
    "postpone": "reschedule",
    "CallersShare": "ProcessorBulkhead",
    "BothSides": "ReconciliationSources",
    "Books": "Ledger",
    "books": "records",
    "can_say": "supports_amount",
    "BrokenRule": "InvariantViolation",
    "callers_side": "build_request_handlers",
    "recovery_side": "build_recovery",
    "Places": "Paths",
    "Shop": "Client",
    "signs": "progress",
    "reminders": "alert_throttle",
}
FILES = {
    r"domain/birth\.py": "creation.py",
    r"processors/share\.py": "bulkhead.py",
    r"(^|/)books\.py": "reconcile.py, records.py",
    r"(^|/)refusal\.py": "startup_error.py, errors.py",
    r"chassis/first\.py": "pid1.py",
    r"(^|/)(house|shop|shops|caller)\.py": "local_stack.py, client.py, clients.py",
    r"chaos/(parts|facts|orders|peace|plan_of)\.py": "processes.py, snapshot.py, requests.py",
    r"simulator/(running|orders|network)\.py": "runner.py, requests.py, simulated_ports.py",
    r"explorer/(telling|threads|exploring|judging)\.py": "trace_format.py, search.py, checks.py",
    r"mutants/(giving_back|going_on|keeping|movement|hunting)\.py": "refunds.py, storage.py",
    r"oncepay_cli/.*(places|pictures)\.py": "paths.py, tables.py",
    r"^proof/": "verification/",
}
ORDINARY = re.compile(
    r"""
    (?<![a-z])type[ _]hints?\b          # Python's own term
    | ^\s*trap[ ]                       # the shell's builtin
    """,
    re.VERBOSE | re.MULTILINE,
)
"""What has a banned word in it and is right."""

NOT_READ = (
    "docs/tests/test_words.py",  # the lists themselves
    "LICENSE",
    "protobuf/src/",  # generated from the contracts, which are read
    "protobuf/released.json",
    "requirements/constraints.txt",  # names of packages
    "requirements/development.txt",
    "requirements/kubernetes.txt",
    "requirements/localstripe.txt",
    "requirements/run.txt",
    "requirements/uv.txt",
    "docs/figures/chaos-charge_first",  # what earlier runs of the baselines wrote
    "docs/figures/chaos-save_first",
)


def tracked() -> list[str]:
    """The text files of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, text=True, capture_output=True, check=False
    )
    if listed.returncode != 0:
        return []
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [
        name
        for name in names
        if not name.startswith(NOT_READ) and not name.endswith("requirements.txt")
    ]


PATHS = tracked()


@pytest.mark.skipif(not PATHS, reason="this folder is no repository")
@pytest.mark.parametrize("name", PATHS or ["nothing"])
def test_no_banned_word_comes_back(name: str) -> None:
    found = [*in_name(name), *in_text((ROOT / name).read_text()), *in_code(name)]
    assert not found, "\n".join(found)


def in_name(name: str) -> Iterator[str]:
    for pattern, plain in FILES.items():
        if re.search(pattern, name):
            yield f"the file is called {name}: say {plain}"


def in_text(text: str) -> Iterator[str]:
    """Banned words and phrases, with their lines."""
    text = ORDINARY.sub(lambda found: " " * len(found[0]), text)
    for number, line in enumerate(text.splitlines(), start=1):
        # `BornBound` and `born_bound` are two words each.
        parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", line)
        for pattern, plain in WORDS.items():
            for found in re.finditer(rf"\b(?:{pattern})\b", parted, re.IGNORECASE):
                yield f"line {number}: {found[0]!r}: say {plain}"
    # A comment that wraps is one sentence. No length changes, so that lines can be counted.
    flat = re.sub(r"\n[ \t]*(#|--|//|\*|\|)?", lambda found: " " * len(found[0]), text)
    for pattern, plain in PHRASES.items():
        phrase = rf"(?<!\w)(?:{pattern})(?!\w)".replace(" ", r"\s+")
        for found in re.finditer(phrase, flat, re.IGNORECASE):
            number = text.count("\n", 0, found.start()) + 1
            yield f"line {number}: {' '.join(found[0].split())!r}: say {plain}"


def in_code(name: str) -> Iterator[str]:
    """Banned identifiers: the names of a Python file, the words of SQL, the code in a document."""
    text = (ROOT / name).read_text()
    found = list(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", text))))
    if name.endswith(".py"):
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        found += [token.string for token in tokens if token.type == tokenize.NAME]
    if name.endswith(".sql"):
        found += re.findall(r"\w+", re.sub("--.*", "", text))
    for identifier in sorted(set(found) & IDENTIFIERS.keys()):
        yield f"{identifier}: say {IDENTIFIERS[identifier]}"


# ---------------------------------------------------------------- the test itself


@pytest.mark.parametrize(
    "text",
    ["it was born", "Born", "BornBound", "is_born", "what we\n# called off", "a_storm_of", "shops"],
)
def test_a_banned_word_is_found(text: str) -> None:
    assert list(in_text(text))


@pytest.mark.parametrize(
    "text",
    ["reborn", "a type hint", "get_type_hints", "recommend", "brainstorming", "opera"],
)
def test_an_ordinary_word_is_not(text: str) -> None:
    assert not list(in_text(text))
