"""Secrets are sealed where they are stored: without its key a database, or a copy, tells nothing.

The keys come from `EUNOE_ENCRYPTION_KEY`, else from a file beside the data that the first start
makes. A transaction brings its `Sealer`, so that only `store` ever sees a sealed value.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from eunoe.errors import EncryptionKeyInvalid, EncryptionKeyMissing, SecretUnreadable

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEY_FILE: Final = "encryption.key"
_KEY_BYTES: Final = 32
_OWNER_ONLY: Final = 0o600


class Sealer:
    """Seals with the first of `keys`, opens with any of them. It shows none of them.

    Fernet is AES with a signature over all of it, in a form that any language can read, and
    `MultiFernet` is its own way to replace a key.
    """

    __slots__ = ("_fernet", "_keys")

    def __init__(self, keys: Sequence[str] = ()) -> None:
        """Raise `EncryptionKeyInvalid` for what is not a key."""
        self._keys = tuple(_checked(key) for key in keys)
        self._fernet: MultiFernet | None = None

    def seal(self, text: str) -> str:
        """Return `text` sealed; twice the same text gives two. Raises `EncryptionKeyMissing`."""
        return self._opened().encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return what was sealed. Raises `SecretUnreadable` where it was with another key."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 -- see `_opened`

        try:
            return self._opened().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SecretUnreadable from None

    def renewed(self, sealed: str) -> str:
        """Return what was sealed with any of the keys as sealed with the first."""
        return self.seal(self.open(sealed))

    def _opened(self) -> "MultiFernet":
        # Only here, because a server without secrets would pay a tenth of its start for it.
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 -- as said above

        if not self._keys:
            raise EncryptionKeyMissing
        if self._fernet is None:
            self._fernet = MultiFernet([Fernet(key) for key in self._keys])
        return self._fernet


NO_KEYS: Final = Sealer()
"""What a database is opened with by those who read no secrets."""


def sealer_of(given: Sequence[str], *, folder: Path) -> Sealer:
    """Return the sealer of the keys `given`, the newest first, else of those kept in `folder`.

    Raises `EncryptionKeyInvalid`, also where the file can be neither read nor made.
    """
    if given:
        return Sealer(given)
    try:
        return Sealer(_kept(folder / KEY_FILE))
    except OSError as error:
        raise EncryptionKeyInvalid(
            f"The key file {folder / KEY_FILE} cannot be used: {error.strerror}. Make it readable "
            "by this user alone, or set EUNOE_ENCRYPTION_KEY."
        ) from error


def new_key() -> str:
    """Return a fresh key."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def _kept(file: Path) -> list[str]:
    """Return the keys in `file`, a line each; make it with one where there is none.

    Of several processes that start at once one makes it, whole, and the others read that.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as out:
                out.write(f"{new_key()}\n")
                out.flush()
                os.fsync(out.fileno())
            _publish(draft, file)
        finally:
            draft.unlink(missing_ok=True)
    lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        raise EncryptionKeyInvalid(f"The key file {file} is empty; bring it back from a backup.")
    return keys


def _publish(draft: Path, file: Path) -> None:
    try:
        file.hardlink_to(draft)
    except FileExistsError:
        return


def _checked(key: str) -> str:
    """Return the key as Fernet takes it; both alphabets of base64 will do."""
    text = key.translate(str.maketrans("+/", "-_"))
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise EncryptionKeyInvalid from None
    if len(raw) != _KEY_BYTES:
        raise EncryptionKeyInvalid
    return text
