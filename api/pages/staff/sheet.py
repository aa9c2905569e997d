"""A form as a page shows it: labels, help, what was typed, and each error at its field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from api.pages.staff.fields import Field, Group, Leaf, RecordForm
from api.pages.staff.typed import Problem, row_count
from api.pages.texts import Translator, catalogue
from ledger.records.request import ERRORS_MAX

TOKEN = "approver_token"
"""The field for the second person's token; no part of the record."""
UNKNOWN = "unknown_"
"""How the ledger's codes begin for a code that nothing is registered under: unknown_fund ..."""
FEN_SUFFIXES = ("（分）", " in fen")
"""Labels of amounts say what entries hold; a form asks for yuan."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is wrong, for people; `detail` is the ledger's own sentence, in English."""

    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field: an input, a choice or a text box."""

    id: str
    label: str
    hint: str
    shape: str
    value: str
    choices: tuple[tuple[str, str], ...]
    required: bool
    most: int | None
    suggests: str | None
    error: Told | None
    personal: bool
    type: Literal["field"] = "field"


@dataclass(frozen=True, slots=True)
class GroupView:
    """Fields that belong together."""

    id: str
    label: str
    hint: str
    required: bool
    parts: tuple[PartView, ...]
    error: Told | None
    type: Literal["group"] = "group"


@dataclass(frozen=True, slots=True)
class RowsView:
    """A list of rows."""

    id: str
    label: str
    hint: str
    required: bool
    rows: tuple[PartView, ...]
    full: bool
    error: Told | None
    type: Literal["rows"] = "rows"


PartView = FieldView | GroupView | RowsView


@dataclass(frozen=True, slots=True)
class Sheet:
    """The whole form: its parts, and the summary of what is wrong: (field's id, text)."""

    kind: str
    occurred_on: PartView
    public: GroupView
    sealed: GroupView | None
    documents: PartView
    summary: tuple[tuple[str, Told], ...]
    families: tuple[str, ...]
    token_error: Told | None

    def part(self, name: str) -> PartView:
        """A public or personal field by its own name, for a form that is laid out by hand."""
        groups = (self.public, *([] if self.sealed is None else [self.sealed]))
        return next(
            one for group in groups for one in group.parts if one.id.rpartition(".")[2] == name
        )

    def rest(self, names: Sequence[str]) -> list[PartView]:
        """The public and personal fields that a form laid out by hand leaves for later."""
        groups = (self.public, *([] if self.sealed is None else [self.sealed]))
        return [
            one for group in groups for one in group.parts if one.id.rpartition(".")[2] not in names
        ]

    def has_more(self, names: Sequence[str]) -> bool:
        """Whether something among the rest was typed, or is wrong."""
        return any(_is_busy(one) for one in (*self.rest(names), self.documents))


def _is_busy(part: PartView) -> bool:
    if part.error is not None:
        return True
    if isinstance(part, FieldView):
        return bool(part.value)
    return any(_is_busy(one) for one in (part.parts if part.type == "group" else part.rows))


class Drawer:
    """Draws one form in one language; `extra` are the labels of the page's own fields."""

    def __init__(
        self,
        form: RecordForm,
        values: Mapping[str, str],
        problems: Sequence[Problem],
        translator: Translator,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self._form = form
        self._extra = extra or {}
        self._values = values
        self._translator = translator
        self._problems = problems
        self._errors: dict[str, Told] = {}
        self._labels: dict[str, str] = {}
        self._families: dict[str, None] = {}
        self._leaves: dict[str, Leaf] = {}

    def sheet(self) -> Sheet:
        """The form; every error stands at a field of it, or in the summary alone."""
        for part in self._form.parts():
            self._learn(part, part.name)
        if self._form.kind.approvers:
            self._labels[TOKEN] = self._translator.text("form.approver_token")
        self._labels |= self._extra
        summary: list[tuple[str, Told]] = []
        for problem in self._problems[:ERRORS_MAX]:
            place = self._place(problem.path)
            told = self._told(problem, place)
            if place in self._errors:
                continue
            if place:
                self._errors[place] = told
            called = self._labels.get(place)
            line = told if called is None else Told(self._named(called, told.text), told.detail)
            summary.append((place or "form", line))
        form = self._form
        day = self._draw(form.occurred_on, form.occurred_on.name)
        public = self._group(form.public, form.public.name)
        sealed = None if form.sealed is None else self._group(form.sealed, form.sealed.name)
        documents = self._draw(form.documents, form.documents.name)
        return Sheet(
            form.kind.name,
            day,
            public,
            sealed,
            documents,
            tuple(summary),
            tuple(self._families),
            self._errors.get(TOKEN),
        )

    def _learn(self, part: Field, path: str) -> None:
        """Note every place that an error may name, and what it is called."""
        self._labels[path] = self._label(part.name)
        if isinstance(part, Leaf):
            self._leaves[path] = part
        elif isinstance(part, Group):
            for one in part.parts:
                self._learn(one, f"{path}.{one.name}")
        else:
            for number in range(max(1, row_count(path, self._values))):
                self._learn(part.of, f"{path}.{number}")

    def _place(self, path: str) -> str:
        """The field that an error is about, or the nearest thing around it."""
        while path and path not in self._labels:
            path = path.rpartition(".")[0]
        return "" if path in ("fields", "sealed") else path

    def _told(self, problem: Problem, place: str) -> Told:
        return tell(problem, self._leaves.get(place), self._translator)

    def _named(self, label: str, text: str) -> str:
        return self._translator.text("form.named", label=label, text=text)

    def _label(self, name: str) -> str:
        word = self._translator.word("field", name)
        for suffix in FEN_SUFFIXES:
            word = word.removesuffix(suffix)
        return word

    def _hint(self, part: Field) -> str:
        """The help of a field: of this kind's, of any kind's, or what its shape wants."""
        kind = self._form.kind.name.replace(".", "_")
        hints = [f"help.{kind}__{part.name}"]
        if isinstance(part, Leaf) and part.shape == "yuan":
            hints.append("shape.yuan")
        if part.description:
            hints.append(f"help.{part.name}")
        found = next((key for key in hints if key in catalogue()), None)
        return "" if found is None else self._translator.text(found)

    def _draw(self, part: Field, path: str, number: int | None = None) -> PartView:
        if isinstance(part, Leaf):
            return self._field(part, path, number)
        if isinstance(part, Group):
            return self._group(part, path, number)
        count = max(1, row_count(path, self._values))
        return RowsView(
            path,
            self._label(part.name),
            self._hint(part),
            part.required,
            tuple(self._draw(part.of, f"{path}.{one}", one) for one in range(count)),
            count >= part.most,
            self._errors.get(path),
        )

    def _group(self, part: Group, path: str, number: int | None = None) -> GroupView:
        return GroupView(
            path,
            self._numbered(part.name, number),
            self._hint(part) if number is None else "",
            part.required,
            tuple(self._draw(one, f"{path}.{one.name}") for one in part.parts),
            self._errors.get(path),
        )

    def _field(self, leaf: Leaf, path: str, number: int | None) -> FieldView:
        if leaf.suggests is not None:
            self._families[leaf.suggests] = None
        hint = self._hint(leaf) if number is None else ""
        default = leaf.default
        choices = self._choices(leaf)
        if default is not None and leaf.shape not in ("choice", "flag"):
            hint += self._translator.text("form.default", value=default)
        return FieldView(
            path,
            self._numbered(leaf.name, number),
            hint,
            leaf.shape,
            self._values.get(path, ""),
            choices,
            leaf.required,
            leaf.most if leaf.shape in ("text", "long") else None,
            leaf.suggests,
            self._errors.get(path),
            path.startswith("sealed."),
        )

    def _choices(self, leaf: Leaf) -> tuple[tuple[str, str], ...]:
        values = ("yes", "no") if leaf.shape == "flag" else leaf.choices
        if not values:
            return ()
        word = self._translator.word
        named = [(one, word("value", one.replace(".", "_"))) for one in values]
        if leaf.default is not None:
            shown = dict(named)[leaf.default]
            empty = self._translator.text("form.default", value=shown)
        else:
            empty = self._translator.text("form.choose" if leaf.required else "form.no_choice")
        return (("", empty), *named)

    def _numbered(self, name: str, number: int | None) -> str:
        label = self._label(name)
        if number is None:
            return label
        return self._translator.text("form.row", label=label, number=number + 1)


def tell(problem: Problem, leaf: Leaf | None, translator: Translator) -> Told:
    """What is wrong in a person's words; the ledger's own beside it where it says more."""
    shaped = f"problem.{problem.code}_{leaf.shape}" if leaf is not None else ""
    keys = [shaped, f"problem.{problem.code}", f"refusal.{problem.code}"]
    if problem.code.startswith(UNKNOWN):
        keys.append("refusal.unknown")
    for key in keys:
        if key in catalogue():
            text = translator.text(key, **(problem.facts or {}))
            return Told(text, problem.message if key.startswith("refusal.") else "")
    if not problem.message:
        return Told(translator.text("problem.other"))
    if translator.language == "en":
        return Told(problem.message)
    return Told(translator.text("problem.other"), problem.message)


def problems_of(errors: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """The ledger's field errors as problems of a form."""
    return [
        Problem(str(one["field"]), str(one["code"]), bare(str(one["message"]), str(one["field"])))
        for one in errors
    ]


def bare(message: str, field: str) -> str:
    """A message without the path that it begins with: the form shows it at the field."""
    return message.removeprefix(f"{field}: ").removeprefix("Value error, ")
