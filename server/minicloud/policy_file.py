"""Policies by name or from a file: read with the line and column of each mistake, and read again when it changes."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
import yaml
from minicloud_core.model.errors import InputError
from minicloud_core.scheduler.policy import POLICIES, Policy
from minicloud_core.scheduler.policy_document import read_policy

from .cli.exit_code import ExitCode
from .marked_yaml import Mistake, Page
from .refusal import RefusalError
from .services.policy import FixedPolicy, PolicySource

logger = structlog.get_logger("minicloud.policy")

SUFFIXES: Final = (".yml", ".yaml", ".json")
# Seconds between two looks at the file.
_LOOK_EVERY: Final = 1.0
# Seconds after which a file's time of change tells it from later ones; two changes in one tick of the clock look alike.
_SETTLED: Final = 2.0


def to_yaml(policy: Policy) -> str:
    """The policy as a file that says all of it by itself."""
    text: str = yaml.safe_dump(policy.to_mapping(), sort_keys=False, default_flow_style=None, width=110)
    return f"# version {policy.version}\n{text}"


class PolicyFileError(RefusalError):
    """A file that is no policy, with every mistake in it, in the order of lines."""

    def __init__(self, path: Path, mistakes: list[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines = "\n  ".join(f"{path}:{mistake}" for mistake in self.mistakes)
        super().__init__(f"the policy {path} has {count}", hint=lines, exit_code=ExitCode.INPUT)


def open_policy(text: str) -> PolicySource:
    """The policy that settings name: a shipped one, or a file's, read again whenever it changes.

    :raises RefusalError: as :func:`find_policy` does.
    """
    return PolicyFile(Path(text)) if names_file(text) else FixedPolicy(find_policy(text))


def find_policy(text: str) -> Policy:
    """A policy by a shipped one's name or a file's path.

    :raises PolicyFileError: the file has mistakes.
    :raises RefusalError: there is no such policy, or the file cannot be read.
    """
    if names_file(text):
        return read_policy_file(Path(text))
    if text in POLICIES:
        return POLICIES[text]
    raise RefusalError(
        f"{text!r} is not a policy",
        hint=f"one of {', '.join(sorted(POLICIES))} is, or a file that ends in {' or '.join(SUFFIXES)}",
        exit_code=ExitCode.INPUT,
    )


def names_file(text: str) -> bool:
    """Whether that is a file's path rather than a shipped policy's name."""
    return "/" in text or text.endswith(SUFFIXES)


def read_policy_file(path: Path) -> Policy:
    """The policy that a file says now.

    :raises PolicyFileError: it has mistakes.
    :raises RefusalError: it cannot be read.
    """
    return parse_policy(_read(path), path)


def parse_policy(content: bytes, path: Path) -> Policy:
    """The policy that a file's content says.

    :param path: what to call the file in errors.
    :raises PolicyFileError: it has mistakes.
    """
    page = Page()
    document = page.read(content)
    try:
        policy = read_policy(document) if page.readable else None
    except InputError as error:
        page.mistakes += (page.locate(problem) for problem in error.problems if problem.field not in page.unread)
        policy = None
    if policy is None or page.mistakes:
        raise PolicyFileError(path, page.mistakes)
    return policy


class PolicyFile:
    """A policy in a file. What it says counts from the next decision on, at most a second later.

    A change that has mistakes is told in the log, once, and the policy before it stays.

    :param monotonic: a clock in seconds, by which the file is looked at once a second at most.
    :raises RefusalError: it cannot be read, or has mistakes, at the start.
    """

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path, self._monotonic = path, monotonic
        self._lock = threading.Lock()
        self._next = monotonic() + _LOOK_EVERY
        self._stamp = self._look()
        content = _read(path)
        self._seen = _digest(content)
        self._policy = parse_policy(content, path)

    def current(self) -> Policy:
        with self._lock:
            now = self._monotonic()
            if now >= self._next:
                self._next = now + _LOOK_EVERY
                self._catch_up()
            return self._policy

    def _catch_up(self) -> None:
        try:
            content = self._read_news()
            if content is not None:
                self._take(parse_policy(content, self.path))
        except RefusalError as error:
            self._tell(error)

    def _read_news(self) -> bytes | None:
        """What the file says since it last changed; None when it is what was seen before.

        :raises RefusalError: it can no longer be read. Raised once.
        """
        try:
            stamp = self._look()
            if stamp is not None and stamp == self._stamp:
                return None
            content = _read(self.path)
            self._stamp, seen = stamp, _digest(content)
        except RefusalError as error:
            if self._seen == error.hint:
                return None
            self._stamp, self._seen = None, error.hint
            raise
        if seen == self._seen:
            return None
        self._seen = seen
        return content

    def _take(self, policy: Policy) -> None:
        before, self._policy = self._policy, policy
        logger.info("policy read again", file=str(self.path), policy=policy.name, version=policy.version,
                    before=before.version)  # fmt: skip

    def _tell(self, error: RefusalError) -> None:
        logger.warning("policy refused, the one before stays", file=str(self.path), policy=self._policy.name,
                       version=self._policy.version, mistakes=error.hint.split("\n  "))  # fmt: skip

    def _look(self) -> tuple[int, int, int] | None:
        """What tells this state of the file from others; None when nothing does yet.

        :raises RefusalError: there is no such file.
        """
        try:
            found = self.path.stat()
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if time.time() - found.st_ctime < _SETTLED:
            return None
        return found.st_ctime_ns, found.st_size, found.st_ino


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> RefusalError:
    return RefusalError(f"the policy {path} cannot be read", hint=f"{path}: {error.strerror}", exit_code=ExitCode.INPUT)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
