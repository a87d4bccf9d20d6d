"""The keyring's file: read with its guards, watched while workers run, changed by one writer at a time."""

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

# A keyring holds a few lines; more is some other file.
MAX_KEYRING_BYTES = 256 * 1024
# How late a worker may notice a change: far below the 10 minutes of a new key, and 5 s is what is promised.
LOOK_EVERY = timedelta(seconds=2)
AHEAD = timedelta(minutes=1)  # how long a request may last for which somebody looked
HASTE = timedelta(milliseconds=250)  # for an id nobody knows: another worker may sign with a key that is new
LOCK_WITHIN = timedelta(seconds=5)  # another command holds the lock for milliseconds
LOCK_PAUSE = 0.05
DRAFT_SECONDS = 60  # a draft lives for milliseconds; one as old as this was left by a command that was killed

Stamp = tuple[int, int, int, int]
GONE: Stamp = (0, 0, 0, 0)


class WatchedKeyring(Keyring):
    """Be the keyring in a file, also after the file has changed: at most `look_every` late, without a restart.

    A subclass, so that whoever holds a Keyring need not know that it moves. Owns its last look; between two of
    them a question costs one comparison more than that of a fixed keyring. What cannot be read, or gives a
    known id another secret, leaves the keyring as it was and is logged once: nobody is logged out for a typing
    error.
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
        """Look now, in a thread: whoever does so before each request spares its questions the wait for the disk."""
        self._look()
        self._next_look = self._looked + AHEAD.total_seconds()

    def _look(self) -> None:
        """Ask for the file's stamp, and read it where that is another one."""
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
            self._seen = GONE  # whatever comes next is another file, though it may get the same inode
            self._stay(f"{self._path}: {error.strerror}")
            return
        # Keys derived from a secret are kept by its id: another one needs another id, also after retirement.
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
        """Return whether the file is whole: a part of one that is being written in place may read like a keyring.

        One that took the place of another is. One that was written in place is when two looks find it the same.
        """
        before, self._seen = self._seen, stamp
        return stamp[0] != before[0] or stamp == before

    def _hold(self) -> None:
        """Keep open what was read: as long as it is, the file that takes its place cannot get its inode."""
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
    """Read a keyring's text and what tells this version of the file from others.

    Raises a ConfigError naming the setting for a file that is not there, not ours alone, or no keyring.
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
    except UnicodeDecodeError:  # from None: that error holds the content
        raise ConfigError(setting, was=f"{path} (not text)", allowed="a keyring") from None


def change_keyring(path: Path, setting: str, change: Callable[[Keyring | None], Keyring]) -> Keyring:
    """Write the keyring that `change` makes of the one in the file (None where there is no file yet).

    One writer at a time; readers see the old file or the new one. Lines of keys that stay the same stay as
    they are, the file's owner too. Raises KeyringFixed where nothing can be written, and whatever `change` raises.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    try:
        with locked(path.parent):
            text = read_keyring(path, setting)[0] if os.path.lexists(path) else None
            before = None if text is None else Keyring.loads(text, setting=setting)
            after = change(before)
            content = after.dumps() if text is None else after.dumps_into(text)
            put_file(path, content.encode(), is_new=text is None)
    except FileExistsError:  # a worker at its first start made one meanwhile: that one is changed
        return change_keyring(path, setting, change)
    except OSError as error:
        raise KeyringFixed(
            f"{path} cannot be written ({error.strerror}); "
            + mend_of(error, f"run this as user {_owner(path)}, or change the file where it comes from")
        ) from error
    return after


def change_file(path: Path, change: Callable[[], T], dumps: Callable[[T], str]) -> T:
    """Write what `change` makes of a file beside the keys, one command at a time; it reads the file itself.

    Raises KeyringFixed where nothing can be written, and whatever `change` raises.
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
    """Hold the lock of a directory: no lock file to leave behind, and it goes with the process."""
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
    """Put a file of mode 0600 in place at once; a new one fails with FileExistsError where there is one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_private(draft, content)
        if is_new:
            os.link(draft, path)  # fails where a starting worker made one meanwhile
        else:
            status = path.stat()
            if status.st_uid != os.geteuid():  # root changes it for the user who runs the shop
                os.chown(draft, status.st_uid, status.st_gid)
            os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)
    _remove_drafts(path)


def _remove_drafts(path: Path) -> None:
    """Remove what killed commands left: it holds all keys, also those that are retired by now."""
    draft, oldest = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}"), time.time() - DRAFT_SECONDS
    with suppress(OSError):  # gone meanwhile, or another user's: the change itself is done
        for name in filter(draft.fullmatch, os.listdir(path.parent)):
            if path.with_name(name).lstat().st_mtime < oldest:
                path.with_name(name).unlink()


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what tells this version of a file from others."""
    # The change time too: `cp -p` and `touch` can bring back the modification time, nothing brings back this one.
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _digest(key: AnyKey) -> bytes:
    return sha256(b"secret" + key.secret if isinstance(key, Key) else b"ed25519" + key.seed).digest()


def _owner(path: Path) -> int:
    there = path if path.exists() else path.parent
    return there.stat().st_uid if there.exists() else os.geteuid()
