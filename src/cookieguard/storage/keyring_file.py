"""The keyring's file: reading it with checks, following its changes while workers run, and changing it safely."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import secrets
import stat
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from cookieguard.errors import ConfigError, KeyringFixed
from cookieguard.keyring import AnyKey, Key, Keyring
from cookieguard.storage.state_directory import mend_of, sync_directory, write_private

logger = logging.getLogger("cookieguard")

T = TypeVar("T")

# A keyring has a few lines, so a larger file is something else.
MAX_KEYRING_BYTES = 256 * 1024
# Workers notice a change within this time. 5 s are promised, and a new key waits 10 minutes before it signs.
LOOK_EVERY = timedelta(seconds=2)
AHEAD = timedelta(minutes=1)  # after `look_ahead`, the file is not checked again for this long
HASTE = timedelta(milliseconds=250)  # the pause between checks for an unknown id, which may be of a new key
LOCK_WITHIN = timedelta(seconds=5)  # another command holds the lock for milliseconds
LOCK_PAUSE = 0.05
DRAFT_SECONDS = 60  # a draft exists for milliseconds; an older one was left by a killed command

Stamp = tuple[int, int, int, int]
GONE: Stamp = (0, 0, 0, 0)


class WatchedKeyring(Keyring):
    """A keyring that follows its file: a change is read within `look_every`, without a restart.

    It is a subclass, so that users of a Keyring need not know that it changes. Between two checks of the file, a query
    costs only one comparison more than with a fixed keyring. If the file cannot be read, or gives a known id another
    secret, the keyring stays as it was and one warning is logged, so that a typing error logs out no customer.
    """

    def __init__(self, path: Path, setting: str, *, look_every: timedelta = LOOK_EVERY) -> None:
        self._path = path.absolute()  # the process may change its directory later
        self._setting = setting
        self._pause = look_every.total_seconds()
        self._haste = min(look_every, HASTE).total_seconds()
        self._trouble = ""
        self._let_go: weakref.finalize[..., WatchedKeyring] | None = None
        text, self._stamp = read_keyring(path, setting)
        self._hold()
        self._seen = self._stamp
        self._looked = time.monotonic()
        self._next_look = self._looked + self._pause
        found = Keyring.loads(text, setting=setting)
        self._ever: dict[str, bytes] = {}
        self._remember(found)
        super().__init__(found.every)

    @property
    def signing(self) -> Key:
        if time.monotonic() >= self._next_look:
            self._look()
        return self._signing

    def get(self, key_id: str) -> Key | None:
        now = time.monotonic()
        if now >= self._next_look:
            self._look()
        found = self._keys.get(key_id)
        if found is None and key_id and now >= self._looked + self._haste:
            self._look()
            found = self._keys.get(key_id)
        return found

    def look_ahead(self) -> None:
        """Check the file now. Called in a thread before each request, it saves the request a wait for the disk."""
        self._look()
        self._next_look = self._looked + AHEAD.total_seconds()

    def _look(self) -> None:
        """Read the file again if its stamp has changed."""
        self._looked = time.monotonic()
        self._next_look = self._looked + self._pause
        try:
            stamp = stamp_of(os.stat(self._path))
            if not self._is_settled(stamp) or stamp == self._stamp:
                return
            text, self._stamp = read_keyring(self._path, self._setting)
            self._hold()
            found = Keyring.loads(text, setting=self._setting)
        except ConfigError as error:
            self._stay(str(error))
            return
        except OSError as error:
            self._seen = GONE  # the next file is another one, even if it gets the same inode
            self._stay(f"{self._path}: {error.strerror}")
            return
        # Derived keys are cached by the id of their secret, so another secret needs another id, even after retirement.
        if changed := [key.id for key in found.every if self._ever.get(key.id, _digest(key)) != _digest(key)]:
            self._stay(f"{self._path}: key {changed[0]} has a new secret; a new secret needs a new id")
            return
        self._trouble = ""
        if found.every != self._every:
            is_other = {key.id for key in found.every}.isdisjoint(self._ever)
            self._remember(found)
            super().__init__(found.every)
            if is_other:
                logger.warning(
                    "keyring: %s holds other keys now, so nothing signed before counts", self._path
                )
                return
            logger.info("keyring: read again, %d keys, signing with %s", len(self._every), self._signing.id)

    def _is_settled(self, stamp: Stamp) -> bool:
        """Return whether the file is complete, because a partly written file may look like a keyring.

        A file that replaced another is complete. A file written in place is complete once two checks find it unchanged.
        """
        before, self._seen = self._seen, stamp
        return stamp[0] != before[0] or stamp == before

    def _hold(self) -> None:
        """Keep the file that was read open, so that a file which replaces it cannot get the same inode."""
        before, self._let_go = self._let_go, None
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            self._let_go = weakref.finalize(self, os.close, descriptor)
        if before is not None:
            before()

    def _remember(self, keyring: Keyring) -> None:
        self._ever |= {key.id: _digest(key) for key in keyring.every}

    def _stay(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            logger.warning("keyring: %s; the keys known so far stay in force until this is fixed", trouble)


def read_keyring(path: Path, setting: str) -> tuple[str, Stamp]:
    """Return a keyring's text and the stamp of this version of the file.

    Raises a ConfigError that names the setting if the file is missing, open to other users, or no keyring.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(MAX_KEYRING_BYTES + 1)
    except OSError as error:
        allowed = "a keyring file this user can read"
        raise ConfigError(setting, was=f"{path} ({error.strerror})", allowed=allowed) from error
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise ConfigError(
            setting, was=f"{path} (open to others, mode {mode:04o})", allowed=f"mode 0600: chmod 600 {path}"
        )
    if len(content) > MAX_KEYRING_BYTES:
        raise ConfigError(setting, was=f"{path} (over {MAX_KEYRING_BYTES} bytes)", allowed="a keyring")
    try:
        return content.decode(), stamp_of(status)
    except UnicodeDecodeError:  # raised from None, because that error contains the keys
        raise ConfigError(setting, was=f"{path} (not text)", allowed="a keyring") from None


def change_keyring(path: Path, setting: str, change: Callable[[Keyring | None], Keyring]) -> Keyring:
    """Write and return the keyring that `change` makes of the one in the file (None if there is no file yet).

    Writers wait for each other, and readers see the old file or the new one. The lines of unchanged keys and the file's
    owner are preserved. Raises KeyringFixed if the file cannot be written, and any error of `change`.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    try:
        with locked(path.parent):
            text = read_keyring(path, setting)[0] if os.path.lexists(path) else None
            before = None if text is None else Keyring.loads(text, setting=setting)
            after = change(before)
            content = after.dumps() if text is None else after.dumps_into(text)
            put_file(path, content.encode(), is_new=text is None)
    except FileExistsError:  # a worker created the file meanwhile, at its first start
        return change_keyring(path, setting, change)
    except OSError as error:
        raise KeyringFixed(
            f"{path} cannot be written ({error.strerror}); "
            + mend_of(error, f"run this as user {_owner(path)}, or change the file where it comes from")
        ) from error
    return after


def change_file(path: Path, change: Callable[[], T], dumps: Callable[[T], str]) -> T:
    """Write and return the result of `change`, which reads the file itself, while no other command can write it.

    The file is in the same directory as the keys. Raises KeyringFixed if it cannot be written, and any error of
    `change`.
    """
    try:
        with locked(path.parent):
            after = change()
            put_file(path, dumps(after).encode(), is_new=not path.exists())
    except OSError as error:
        mend = mend_of(error, "run this as the user who runs the shop")
        raise KeyringFixed(f"{path} cannot be written ({error.strerror}); {mend}") from error
    return after


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a directory. It needs no lock file, and is released when the process ends."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + LOCK_WITHIN.total_seconds()
        while not _takes_lock(descriptor):
            if time.monotonic() > deadline:
                raise KeyringFixed(f"{directory} is locked by another command; try again after it has ended")
            time.sleep(LOCK_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _takes_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def put_file(path: Path, content: bytes, *, is_new: bool) -> None:
    """Write a file of mode 0600 atomically; `is_new` raises FileExistsError if it exists."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_private(draft, content)
        if is_new:
            os.link(draft, path)  # fails if a starting worker created the file meanwhile
        else:
            status = path.stat()
            if status.st_uid != os.geteuid():  # root writes it, and the shop's user remains the owner
                os.chown(draft, status.st_uid, status.st_gid)
            os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)
    _remove_drafts(path)


def _remove_drafts(path: Path) -> None:
    """Remove the drafts of killed commands, which contain all keys, even retired ones."""
    draft, oldest = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}"), time.time() - DRAFT_SECONDS
    with suppress(OSError):  # a draft is gone or belongs to another user; the change itself is done
        for name in filter(draft.fullmatch, os.listdir(path.parent)):
            if path.with_name(name).lstat().st_mtime < oldest:
                path.with_name(name).unlink()


def stamp_of(status: os.stat_result) -> Stamp:
    """Return a value that differs between versions of a file."""
    # It includes the change time, because `cp -p` and `touch` can restore the modification time.
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _digest(key: AnyKey) -> bytes:
    return sha256(b"secret" + key.secret if isinstance(key, Key) else b"ed25519" + key.seed).digest()


def _owner(path: Path) -> int:
    there = path if path.exists() else path.parent
    return there.stat().st_uid if there.exists() else os.geteuid()
