"""`eunoe`, which misses a process that says nothing any more after a third of the time.

python -m tests.processes.impatient server --port 0
"""

from datetime import timedelta
from typing import Final

from eunoe.cli.main import main
from eunoe.runs import jobs

_PATIENCE: Final = (("HEARTBEAT_TIMEOUT", timedelta(seconds=5)), ("LOOK", timedelta(seconds=0.5)))

if __name__ == "__main__":
    for name, patience in _PATIENCE:
        setattr(jobs, name, patience)
    main()
