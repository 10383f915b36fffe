"""Every failure a caller can act on, by what it is about; `errors.kinds` says how they are made."""

from eunoe.errors.access import *
from eunoe.errors.addresses import *
from eunoe.errors.agent_files import *
from eunoe.errors.approvals import *
from eunoe.errors.database import *
from eunoe.errors.files import *
from eunoe.errors.groups import *
from eunoe.errors.identities import *
from eunoe.errors.kinds import *
from eunoe.errors.mcp import *
from eunoe.errors.memory import *
from eunoe.errors.models import *
from eunoe.errors.peers import *
from eunoe.errors.providers import *
from eunoe.errors.runs import *
from eunoe.errors.schedules import *
from eunoe.errors.secrets import *
from eunoe.errors.templates import *
from eunoe.errors.tools import *
from eunoe.errors.users import *
