"""Values that are sealed where they are stored, and the keys they are sealed with."""

from eunoe.errors.database import SettingInvalid
from eunoe.errors.kinds import Unavailable


class EncryptionKeyInvalid(SettingInvalid):
    """A key for secrets must be 32 bytes in base64; `eunoe secrets key` prints one."""

    code = "encryption_key_invalid"


class EncryptionKeyMissing(Unavailable):
    """There is no key to seal secrets with; set EUNOE_ENCRYPTION_KEY."""

    code = "encryption_key_missing"
    heals = False


class SecretUnreadable(Unavailable):
    """A secret was sealed with another key; add it to EUNOE_ENCRYPTION_KEY, or store it anew."""

    code = "secret_unreadable"
    heals = False
