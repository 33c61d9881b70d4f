"""What is cloned below `REPODIR`, and which checkouts a push touches."""

from gitreload.checkouts.index import RepodirError
from gitreload.checkouts.lookup import Checkouts
from gitreload.checkouts.match import Match

__all__ = ["Checkouts", "Match", "RepodirError"]
