"""All mutants."""

from proof.mutants.creation import CREATION
from proof.mutants.giving_back import GIVING_BACK
from proof.mutants.going_on import GOING_ON
from proof.mutants.keeping import KEEPING
from proof.mutants.movement import MOVEMENT

MUTANTS = (*CREATION, *MOVEMENT, *KEEPING, *GIVING_BACK, *GOING_ON)
