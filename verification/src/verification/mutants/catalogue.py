"""All mutants."""

from verification.mutants.creation import CREATION
from verification.mutants.giving_back import GIVING_BACK
from verification.mutants.going_on import GOING_ON
from verification.mutants.keeping import KEEPING
from verification.mutants.movement import MOVEMENT

MUTANTS = (*CREATION, *MOVEMENT, *KEEPING, *GIVING_BACK, *GOING_ON)
