"""Password hashes: argon2id in a few threads, so that a wave of logins cannot eat memory or the event loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MEMORY_KIB = 19456
TIME_COST = 2
PARALLELISM = 1
MAX_THREADS = 2
MAX_WAITING = 64


class TooBusy(Exception):
    """Too many passwords wait to be hashed."""


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self) -> None:
        """Start without threads; they come with the first use."""
        self._hasher = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=PARALLELISM)
        self._executor = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        self._dummy = self._hasher.hash(secrets.token_urlsafe(16))

    async def hash(self, password: str) -> str:
        """Hash a password. Raises TooBusy."""
        result = await self._run(lambda: self._hasher.hash(password.encode("utf-8", "surrogatepass")))
        assert isinstance(result, str)
        return result

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Check a password; None (no such user) takes the same time and gives False. Raises TooBusy."""
        return bool(await self._run(lambda: self._verify(hashed, password)))

    def _verify(self, hashed: str | None, password: str) -> bool:
        try:
            self._hasher.verify(hashed or self._dummy, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
        return hashed is not None

    async def _run(self, work: Callable[[], str | bool]) -> str | bool:
        if self._waiting >= MAX_WAITING:
            raise TooBusy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Stop the threads after the hash they work on."""
        self._executor.shutdown(wait=False, cancel_futures=True)
