"""Recorded answers of Open-Meteo's air quality API, to be served again: from a folder, or a warehouse's raw answers.

Answers with the moment of their request (``replies``) are served as they were at the clock. Answers without it are
joined to one series per location (``joined``). Everything is read and checked before anything is served. A file of a
folder is one of four kinds:

| content                                         | what happens to the file                 |
|-------------------------------------------------|------------------------------------------|
| answers of the API, bare or wrapped (``wrapped``) | served                                 |
| a reply with its moment (``replies``)           | served, if all files are of this kind    |
| similar to an answer (``wrapped``), but it cannot be served (``documents``) | refused, with its name |
| anything else                                   | ignored, with a warning                  |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from orchestration.core.errors import UsageError
from orchestration.core.partitions.days import Days
from resources.open_meteo.variables import UNITS
from resources.raw.answers import RawAnswers
from resources.raw.renames import FOLDER
from resources.simulator.documents import NotAnAnswer, WrongDocument, read_document
from resources.simulator.joined import Disagreement, Named, join
from resources.simulator.replies import LocationReply, Replies, is_kept_reply, of_raw_answer, read_kept_reply
from resources.simulator.requests import AskedLocation
from resources.simulator.series import AirSeries
from resources.simulator.wrapped import answers_in, content_of

Say = Callable[[str], None]
"""Called with a line for people."""
ENDINGS = (".json", ".jsonl", ".ndjson")
"""Suffixes of files that may contain answers. A packed file has ``.gz`` after it."""
MOST_NAMED = 8
"""At most so many files are named in one line."""


class Recorded(Protocol):
    """Recorded answers, with or without moments."""

    @property
    def made_up(self) -> bool | None:
        """Whether its values are made up; None where this holds of some of them only."""
        ...

    @property
    def days(self) -> Days:
        """The UTC days that answers are about, at any location."""
        ...

    def answer(
        self, location: AskedLocation, variables: Sequence[str], clock: datetime
    ) -> tuple[AirSeries, tuple[float, float]]:
        """The hours of a location that are not after the clock, and the coordinates of its answer. Raises Refused."""
        ...


def load_recordings(
    folder: Path, warn: Say = lambda _line: None, *, newest_wins: bool = False, wanted: Collection[str] = UNITS
) -> Recorded:
    """The answers in the files of a folder, or in the raw answers of an asset (``WAREHOUSE/_aqi/raw/ASSET``).

    warn: called with a line about ignored files, about answers that were converted, and about each broken raw answer.
    newest_wins: where answers without moments disagree, the last one by the names of the files counts. wanted:
    variables to warn about where they were not recorded.
    Raises UsageError for a folder without answers, with an answer that cannot be served, whose answers disagree, or
    where only some answers have moments.
    """
    if folder.resolve().parent.as_posix().endswith(f"/{FOLDER}"):
        _without_newest(newest_wins, folder)
        return Replies(_raw_answers(folder.resolve(), warn))
    found = _Files()
    for path in sorted(folder.iterdir(), key=by_name):
        found.take(path)
    found.check(folder)
    said = [f"passed over, as no answers of the API: {_named(found.passed_over)}"] if found.passed_over else []
    said += [f"{_named(names)}: {note}" for note, names in found.notes.items()]
    recorded: Recorded
    if found.kept:
        _without_newest(newest_wins, folder)
        recorded = Replies([reply for path, content in found.kept.items() for reply in _replies_of(path, content)])
    else:
        recorded = _joined(found.documents, newest_wins, wanted, said.append)
    for line in said:  # only after everything that may be refused
        warn(line)
    return recorded


def _joined(documents: Sequence[Named], newest_wins: bool, wanted: Collection[str], say: Say) -> Recorded:
    try:
        return join(documents, newest_wins=newest_wins, wanted=wanted, say=say)
    except Disagreement as problem:
        remedy = f"Take one of them out; or with --newest-wins the last by name counts, here {problem.second}."
        raise UsageError(str(problem), remedy) from None


def by_name(path: Path) -> list[tuple[int, int, str]]:
    """Sorting key of files: by name, with the numbers in it as numbers (``day_9`` before ``day_10``)."""
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


@dataclass
class _Files:
    """The files of a folder, sorted by their kind."""

    documents: list[Named] = field(default_factory=list)
    kept: dict[Path, Any] = field(default_factory=dict)
    """File → its JSON, for replies with their moments."""
    notes: dict[str, list[str]] = field(default_factory=dict)
    """Note about answers, as a conversion → the names of the answers."""
    passed_over: list[str] = field(default_factory=list)
    """Names of ignored files, with the reason."""
    refused: list[tuple[str, WrongDocument]] = field(default_factory=list)
    looked_like_json: bool = False
    """Whether any file has a suffix of JSON."""

    def take(self, path: Path) -> None:
        """Read a file, and add it to the files of its kind."""
        name = path.name.lower().removesuffix(".gz")
        if path.is_dir() or not name.endswith(ENDINGS):
            if not path.name.startswith("."):
                self.passed_over.append(f"{path.name} (a folder)" if path.is_dir() else path.name)
            return
        self.looked_like_json = True
        try:
            content = content_of(path.read_bytes())
            if is_kept_reply(content):
                self.kept[path] = content
                return
            answers = list(answers_in(content))
        except OSError as problem:
            self.refused.append((path.name, WrongDocument(f"it cannot be read ({problem.strerror})")))
        except WrongDocument as problem:
            self.refused.append((path.name, problem))
        except NotAnAnswer as problem:
            self.passed_over.append(f"{path.name} ({problem})")
        else:
            self._take_answers(path.name, answers)

    def _take_answers(self, file: str, answers: Sequence[tuple[str, Any]]) -> None:
        others = []
        for way, answer in answers:
            name = f"{file} ({way})" if way and len(answers) > 1 else file
            try:
                document = read_document(answer)
            except WrongDocument as problem:
                self.refused.append((name, problem))
            except NotAnAnswer as problem:
                others.append(f"{name}: {problem}")
            else:
                self.documents.append(Named(name, document))
                for note in document.notes:
                    self.notes.setdefault(note, []).append(name)
        if others or not answers:
            self.passed_over += others or [file]

    def check(self, folder: Path) -> None:
        """Raises UsageError where the folder cannot be served."""
        if self.refused:
            (name, problem), *more = self.refused
            others = list(dict.fromkeys(other for other, _ in more if other != name))
            too = f"; refused too: {_named(others)}" if others else ""
            what = f"{folder / name} is not a recorded answer of the API that can be served: {problem}{too}"
            raise UsageError(what, problem.remedy)
        if not self.looked_like_json:
            raise UsageError(f"there is no *.json to replay in {folder}", "Name a folder with answers of the API.")
        if self.kept and self.documents:
            raise UsageError(
                f"{folder / self.documents[0].name} does not say when it was asked for, and others in its folder do",
                "Put what `aqi simulate --record` kept into a folder of its own.",
            )
        if not self.kept and not self.documents:
            what = f"what is in {folder} is not a recorded answer of the API: {_named(self.passed_over)}"
            raise UsageError(what, "Name a folder with answers of the API.")


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _without_newest(newest_wins: bool, folder: Path) -> None:
    if newest_wins:
        what = f"--newest-wins is for answers without moments, and those in {folder} have them"
        raise UsageError(what, "Leave it out: they are served as they were at the clock.")


def _replies_of(path: Path, content: Any) -> list[LocationReply]:
    try:
        return read_kept_reply(content)
    except ValueError as error:
        raise UsageError(f"{path} is not an answer that was kept ({error})", "Take it out of the folder.") from None


def _raw_answers(folder: Path, warn: Callable[[str], None]) -> list[LocationReply]:
    """The replies in the raw answers that a warehouse keeps of an asset."""
    raw, asset = RawAnswers(str(folder.parents[2])), folder.name
    found = raw.all(asset)
    for broken in found.broken:
        warn(f"the raw answer {broken} is broken: it is not replayed")
    kept = [raw.read(file) for file in found.files]
    if not kept:
        raise UsageError(f"no raw answers of {asset} are kept in {folder}", "Name WAREHOUSE/_aqi/raw/ASSET.")
    try:
        return [reply for answer in kept for reply in of_raw_answer(answer)]
    except ValueError as error:
        raise UsageError(f"{folder} has raw answers of another source ({error})", "Name another asset.") from None
