"""One run a file: a lock that the system takes back when the process ends, however it ends."""

from __future__ import annotations

import errno
import os
import sys

HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


def try_lock(fd: int) -> bool:
    """Lock an open file for this run, or tell that another run has it. Closing ``fd`` gives it back.

    Raises OSError where the file system has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            os.lseek(fd, 1 << 30, os.SEEK_SET)  # a byte that is never written: others may read the file
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            return False
        raise
    return True
