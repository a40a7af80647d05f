"""All mutants."""

from verification.mutants.background import BACKGROUND
from verification.mutants.creation import CREATION
from verification.mutants.refunds import REFUND_MUTANTS
from verification.mutants.storage import STORAGE
from verification.mutants.transitions import TRANSITIONS

MUTANTS = (*CREATION, *TRANSITIONS, *STORAGE, *REFUND_MUTANTS, *BACKGROUND)
