"""Policies by name or from a file: read with the line and column of each mistake, and read again when it changes."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
import yaml
from minicloud_core.model.errors import InputError, Problem
from minicloud_core.scheduler.policy import POLICIES, Misnamed, Policy
from minicloud_core.scheduler.policy_document import read_policy

from .refusal import RefusalError
from .services.policy import FixedPolicy, PolicySource

logger = structlog.get_logger("minicloud.policy")

SUFFIXES: Final = (".yml", ".yaml", ".json")
# Seconds between two looks at the file.
_LOOK_EVERY: Final = 1.0
# Seconds after which a file's time of change tells it from later ones; two changes in one tick of the clock look alike.
_SETTLED: Final = 2.0
_INPUT: Final = 2


def to_yaml(policy: Policy) -> str:
    """The policy as a file that says all of it by itself."""
    text: str = yaml.safe_dump(policy.to_mapping(), sort_keys=False, default_flow_style=None, width=110)
    return f"# version {policy.version}\n{text}"


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing wrong in a policy file.

    :param line: counted from 1, as is ``column``.
    :param field: dotted path, such as ``full.weights.pack``; empty for the whole.
    :param allowed: what would be right; may be empty.
    """

    line: int
    column: int
    field: str
    message: str
    allowed: str

    def __str__(self) -> str:
        what = f"{self.field}: {self.message}" if self.field else self.message
        return f"{self.line}:{self.column}: {what}" + (f" (right: {self.allowed})" if self.allowed else "")

    def to_mapping(self) -> dict[str, Any]:
        return dict(vars(self))


class PolicyFileError(RefusalError):
    """A file that is no policy, with every mistake in it, in the order of lines."""

    def __init__(self, path: Path, mistakes: list[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines = "\n  ".join(f"{path}:{mistake}" for mistake in self.mistakes)
        super().__init__(f"the policy {path} has {count}", hint=lines, exit_code=_INPUT)


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
        exit_code=_INPUT,
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
    page = _Page()
    document = page.read(content)
    try:
        policy = read_policy(document) if page.readable else None
    except InputError as error:
        page.mistakes += (page.locate(problem) for problem in error.problems)
        policy = None
    if policy is None or page.mistakes:
        raise PolicyFileError(path, page.mistakes)
    return policy


class PolicyFile:
    """A policy in a file. What it says counts from the next decision on, at most a second later.

    A change that has mistakes is told in the log, once, and the policy before it stays.

    :raises RefusalError: it cannot be read, or has mistakes, at the start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._next = time.monotonic() + _LOOK_EVERY
        self._stamp = self._look()
        content = _read(path)
        self._seen = _digest(content)
        self._policy = parse_policy(content, path)

    def current(self) -> Policy:
        with self._lock:
            now = time.monotonic()
            if now >= self._next:
                self._next = now + _LOOK_EVERY
                self._catch_up()
            return self._policy

    def _catch_up(self) -> None:
        try:
            stamp = self._look()
            if stamp is not None and stamp == self._stamp:
                return
            content = _read(self.path)
        except RefusalError as error:
            self._stamp = None
            self._note(error.hint, error)
            return
        self._stamp = stamp
        try:
            if self._note(_digest(content)):
                self._take(parse_policy(content, self.path))
        except PolicyFileError as error:
            self._tell(error)

    def _note(self, seen: str, error: RefusalError | None = None) -> bool:
        """Whether this is news; an error that is, is told."""
        if seen == self._seen:
            return False
        self._seen = seen
        if error is not None:
            self._tell(error)
        return True

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
    return RefusalError(f"the policy {path} cannot be read", hint=f"{path}: {error.strerror}", exit_code=_INPUT)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# Scalars that a policy may have. A date, a set or bytes is taken as what is written there.
_PLAIN_TAGS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null"))
# Numbers in JSON, and in YAML 1.2, that YAML 1.1 takes for text.
_POWER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?[eE][-+]?[0-9]+")


@dataclass
class _Page:
    """A YAML text on its way to plain values; remembers where each field and its value stand.

    :param readable: whether it is YAML at all.
    """

    mistakes: list[Mistake] = field(default_factory=list)
    readable: bool = True
    _keys: dict[str, yaml.Mark] = field(default_factory=dict)
    _values: dict[str, yaml.Mark] = field(default_factory=dict)
    _met: set[int] = field(default_factory=set)

    def read(self, content: bytes) -> Any:
        """The document's value; None, and ``readable`` false, when it is no YAML."""
        text = content.decode("utf-8-sig", "replace")
        loader = None
        try:
            loader = yaml.SafeLoader(text)
            node = loader.get_single_node()
            return None if node is None else self._value(loader, node, "")
        except yaml.MarkedYAMLError as error:
            self._refuse(error.problem_mark or error.context_mark, "", f"not YAML: {error.problem}")
        except yaml.reader.ReaderError as error:
            line, column = _position(text, error.position)
            self.mistakes.append(Mistake(line, column, "", f"not YAML: {error.reason}", "text in UTF-8"))
        except RecursionError:
            self.mistakes.append(Mistake(1, 1, "", "nested too deeply", "at most full, weights and a scorer"))
        finally:
            if loader is not None:
                loader.dispose()
        self.readable = False
        return None

    def locate(self, problem: Problem) -> Mistake:
        """A problem at its line. What is missing is missing from the nearest field that is there."""
        path = problem.field
        mark = self._keys.get(path) if isinstance(problem, Misnamed) else self._values.get(path)
        while mark is None and path:
            path = path.rpartition(".")[0]
            mark = self._values.get(path)
        return _mistake(mark, problem.field, problem.message, problem.allowed)

    def _refuse(self, mark: yaml.Mark | None, path: str, message: str, allowed: str = "") -> None:
        self.mistakes.append(_mistake(mark, path, message, allowed))

    def _value(self, loader: yaml.SafeLoader, node: yaml.Node, path: str) -> Any:
        self._values.setdefault(path, node.start_mark)
        if id(node) in self._met:
            self._refuse(node.start_mark, path, "what an alias stands for is not looked up", "written out once more")
            return None
        self._met.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return dict(self._items(loader, node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(loader, item, _join(path, str(index))) for index, item in enumerate(node.value)]
        return self._scalar(loader, node, path)

    def _items(self, loader: yaml.SafeLoader, node: yaml.MappingNode, path: str) -> Iterator[tuple[str, Any]]:
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            here = _join(path, name)
            if here in self._keys:
                first = self._keys[here].line + 1
                self._refuse(key.start_mark, here, f"given twice, first on line {first}", "each once")
                continue
            self._keys[here] = key.start_mark
            yield name, self._value(loader, value, here)

    def _scalar(self, loader: yaml.SafeLoader, node: yaml.Node, path: str) -> Any:
        if node.tag not in _PLAIN_TAGS:
            return float(node.value) if node.style is None and _POWER.fullmatch(node.value) else node.value
        try:
            return loader.construct_object(node)
        except (ValueError, KeyError, IndexError):
            self._refuse(node.start_mark, path, f"{node.value!r} is not what its tag says", "the value without a tag")
            return None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _mistake(mark: yaml.Mark | None, path: str, message: str, allowed: str) -> Mistake:
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    return Mistake(line + 1, column + 1, path, message, allowed)


def _position(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1
