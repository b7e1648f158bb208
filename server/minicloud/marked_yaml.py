"""YAML as plain values, with the line and column at which each field stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from minicloud_core.model.errors import Problem
from minicloud_core.scheduler.findings import Misnamed


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing wrong in a file.

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


# Scalars that are more than text. A date, a set or bytes is taken as what is written there.
_PLAIN_TAGS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null"))
# Numbers in JSON, and in YAML 1.2, that YAML 1.1 takes for text.
_POWER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?[eE][-+]?[0-9]+")


@dataclass
class Page:
    """A YAML text on its way to plain values; remembers where each field and its value stand.

    :param mistakes: what is wrong with it as YAML.
    :param readable: whether it is YAML at all.
    :param unread: paths of fields whose value is not known, though one is there.
    """

    mistakes: list[Mistake] = field(default_factory=list)
    readable: bool = True
    unread: set[str] = field(default_factory=set)
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
            self.mistakes.append(Mistake(line, column, "", f"not YAML: {error.reason}", "printable text"))
        except RecursionError:
            self.mistakes.append(Mistake(1, 1, "", "nested too deeply", "tables in tables, a few deep"))
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

    def _skip(self, mark: yaml.Mark, path: str, message: str, allowed: str) -> None:
        self.unread.add(path)
        self._refuse(mark, path, message, allowed)

    def _value(self, loader: yaml.SafeLoader, node: yaml.Node, path: str) -> Any:
        self._values.setdefault(path, node.start_mark)
        if id(node) in self._met:
            # The node is the anchor's, and stands there; the alias stands at the field.
            mark = self._keys.get(path, node.start_mark)
            return self._skip(mark, path, "what an alias stands for is not looked up", "written out once more")
        self._met.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return dict(self._items(loader, node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(loader, item, _join(path, str(index))) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
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

    def _scalar(self, loader: yaml.SafeLoader, node: yaml.ScalarNode, path: str) -> Any:
        if node.tag not in _PLAIN_TAGS:
            return node.value if node.style or not _POWER.fullmatch(node.value) else float(node.value)
        try:
            return loader.construct_object(node)
        except (ValueError, KeyError, IndexError):
            message = f"{node.value!r} is not what its tag says"
            return self._skip(node.start_mark, path, message, "the value without a tag")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _mistake(mark: yaml.Mark | None, path: str, message: str, allowed: str) -> Mistake:
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    return Mistake(line + 1, column + 1, path, message, allowed)


def _position(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1
