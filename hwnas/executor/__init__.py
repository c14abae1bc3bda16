"""Where evaluations run: in this process, in worker processes of this machine, or on a Ray cluster.

Results do not depend on the place: the driver decides the order of items and keeps the results; workers only evaluate.
"""

from hwnas.executor._cluster import Cluster
from hwnas.executor._executor import AHEAD, ATTEMPTS, Executor
from hwnas.executor._here import Here
from hwnas.executor._pace import Pace
from hwnas.executor._processes import Processes, check_crowd
from hwnas.executor._where import HERE, Where
from hwnas.executor._work import Done, Failed, Opener, Outcome, Refused

__all__ = [
    "AHEAD",
    "ATTEMPTS",
    "HERE",
    "Cluster",
    "Done",
    "Executor",
    "Failed",
    "Here",
    "Opener",
    "Outcome",
    "Pace",
    "Processes",
    "Refused",
    "Where",
    "check_crowd",
]
