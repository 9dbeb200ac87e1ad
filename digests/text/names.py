"""Find the names in a text, and check whether another text contains them. Pure.

A name is a run of words with capital letters, and of the numbers that follow them. In Japanese,
a name is a word in katakana.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from digests.text.units import MAGNITUDES, MONEY

_TOKEN = re.compile(r"[぀-ヿ㐀-鿿가-힣ー々]|(?:(?![぀-ヿ㐀-鿿가-힣])[^\W\d_])+|\d+(?:[.,]\d+)*")
_CJK = re.compile(r"[぀-ヿ㐀-鿿가-힣ー々]")
_KATAKANA = re.compile(r"[ァ-ヺー]{2,}")
_CLOSE = re.compile(r"[ \-‑–'’./&+_]{0,1}$")
_INITIAL = re.compile(r"\. $")
_STARTS = re.compile(r"(?:^|[.!?:;…。！？][\"'”’)\]]*\s+|[\"“‘«„(\[]\s?)$")
_TITLES = frozenset(
    "mr mrs ms dr prof st inc ltd corp co jr sr sen gov gen rep".split()  # noqa: SIM905
)
_ROLES = frozenset(
    """
    ceo cto cfo coo president chief chairman chairwoman chair director minister professor doctor
    senator governor founder cofounder judge king queen pope prince princess secretary general
    mr mrs ms dr prof sir lady spokesperson spokeswoman spokesman
    """.split()  # noqa: SIM905 - prose is easier to change
)
_OPENERS = frozenset(
    """
    a about according after all also although amid among an and another any as at back because
    before being between both but by can could despite do does during each either even every few
    finally first following for from further had has have he her here his how however i if in
    instead into is it its just last later least less like many may meanwhile more moreover most
    much must nearly neither never new no none not nothing now of off on once only or other others
    our over own per perhaps rather same several she should since so some soon still such than
    that the their them then there these they this those though through thus to together too
    under unlike until up upon us was we were what when where whether which while who whose why
    will with within without would yet you your der die das ein eine le la les un une el los las
    il lo gli i o os as uma de du des en im am mit und et y e
    """.split()  # noqa: SIM905 - as above
)


_CALENDAR = frozenset(
    """
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
    """.split()  # noqa: SIM905 - as above
)
StemOf = Callable[[str], str]
"""Returns the stem of a word, or "" for a stop word."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word or number of a text."""

    form: str
    """Folded, for comparison."""
    written: str
    adjoins: bool
    """At most one space, hyphen or similar character separates it from the next word."""
    adheres: bool
    """Nothing separates it from the next word."""
    starts: bool
    """It is the first word of a sentence or quotation."""
    is_name: bool


class Text:
    """A text, prepared for the search for names and quotations."""

    def __init__(self, text: str) -> None:
        self.text = unicodedata.normalize("NFKC", text)

    @cached_property
    def words(self) -> list[Word]:
        tokens = list(_TOKEN.finditer(self.text))
        words = []
        for n, match in enumerate(tokens):
            end = tokens[n + 1].start() if n + 1 < len(tokens) else len(self.text)
            between = self.text[match.end() : end]
            written = match.group()
            after_title = fold(written) in _TITLES or len(written) == 1
            adjoins = n + 1 < len(tokens) and bool(
                _CLOSE.fullmatch(between) or (after_title and _INITIAL.fullmatch(between))
            )
            starts = bool(_STARTS.search(self.text[max(0, match.start() - 8) : match.start()]))
            adheres = end == match.end()
            words.append(
                Word(fold(written), written, adjoins, adheres, starts, self._is_name(match))
            )
        return words

    def _is_name(self, match: re.Match[str]) -> bool:
        """Whether the word may be a name. Q3, US$ and Milliarden are parts of numbers."""
        word = match.group()
        if len(word) > 2 and (word.lower() in MAGNITUDES or word.lower() in MONEY):
            return False
        is_period = re.match(r"(?:Q[1-4]|H[12]|FY\d+)\b", self.text[match.start() :][:8])
        is_money = self.text[match.end() : match.end() + 1] == "$"
        return _has_capital(word) and not is_period and not is_money

    @cached_property
    def forms(self) -> frozenset[str]:
        return frozenset(word.form for word in self.words)

    @cached_property
    def joined(self) -> frozenset[str]:
        """All runs of up to six adjoining words, each joined without spaces."""
        runs = set()
        for n in range(len(self.words)):
            run = ""
            for word in self.words[n : n + 6]:
                run += word.form
                runs.add(run)
                if not word.adjoins:
                    break
        return frozenset(runs)

    @cached_property
    def alone(self) -> frozenset[str]:
        """Words that occur at least once outside of a longer name, or in lower case."""
        forms = set()
        for n, word in enumerate(self.words):
            before = self.words[n - 1] if n and self.words[n - 1].adjoins else None
            after = self.words[n + 1] if word.adjoins and n + 1 < len(self.words) else None
            neighbours = [word for word in (before, after) if word is not None]
            is_number = word.written[0].isdigit()
            is_in_name = any(_is_name_part(neighbour) for neighbour in neighbours)
            if not (word.is_name or is_number) or not is_in_name:
                forms.add(word.form)
        return frozenset(forms)

    @cached_property
    def sequence(self) -> str:
        return f" {' '.join(word.form for word in self.words)} "

    def quotes(self, quotation: str) -> bool:
        """Whether the text contains `quotation` word for word."""
        sought = " ".join(word.form for word in Text(quotation).words)
        return f" {sought} " in self.sequence


def fold(text: str) -> str:
    """Remove case and accents, because names are written with and without them."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    bare = "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", bare)


def names_in(claim: Text, stems: Iterable[str], stem_of: StemOf) -> list[tuple[Word, ...]]:
    """Return the names in a claim, each as its words.

    `stems` are the content words of the sources: a capitalised first word of a sentence is no
    name if its stem is among them.
    """
    known = frozenset(stems)
    runs: list[list[Word]] = [[]]
    before: Word | None = None
    for word, after in zip(claim.words, [*claim.words[1:], None], strict=True):
        is_suffix = before is not None and before.written[0].isdigit() and before.adheres
        before = word
        if is_suffix and not runs[-1] and len(word.written) <= 2:
            continue  # the B of 7B belongs to the number
        if word.form in _CALENDAR and word.is_name:
            runs += [[word], []]  # apart, so that "May 20" equals "20 May"
        elif (runs[-1] and word.written[0].isdigit()) or (
            word.is_name and not (word.starts and _is_ordinary(word, after, known, stem_of))
        ):
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
        if runs[-1] and not word.adjoins:
            runs.append([])
    katakana = [_as_word(run) for run in _KATAKANA.findall(claim.text)]
    return [tuple(run) for run in runs if run] + [(word,) for word in katakana]


def contains_name(name: Sequence[Word], given: Text) -> bool:
    """Whether `given` contains the name as a whole, or all its parts, each on its own."""
    forms = [_match_plural(word.form, given) for word in name]
    if _CJK.search(forms[0]):
        return forms[0] in fold(given.text)
    if len(forms) == 1:
        return forms[0] in given.joined
    reached = {0}
    for start in range(len(forms)):
        for end in range(start + 1, len(forms) + 1) if start in reached else ():
            piece = forms[start:end]
            stands = "".join(piece) in given.joined
            if stands and (len(piece) > 1 or piece[0] in given.alone or piece[0] in _ROLES):
                reached.add(end)
    return len(forms) in reached


def _is_ordinary(word: Word, after: Word | None, known: frozenset[str], stem_of: StemOf) -> bool:
    """Whether the first word of a sentence is an ordinary word and no name."""
    if any(letter.isupper() for letter in word.written[1:]):
        return False
    opens_name = word.adjoins and after is not None and after.is_name
    return word.form in _OPENERS or (not opens_name and stem_of(word.form) in known)


def _match_plural(form: str, given: Text) -> str:
    """Return the form with or without a final s, whichever the text contains."""
    if form not in given.forms and form.endswith("s") and form[:-1] in given.forms:
        return form[:-1]
    return f"{form}s" if form not in given.forms and f"{form}s" in given.forms else form


def _has_capital(written: str) -> bool:
    return any(letter.isupper() or letter.istitle() for letter in written)


def _is_name_part(word: Word) -> bool:
    """Whether the word can be a part of a longer name. Months and function words cannot."""
    is_name = word.is_name and word.form not in _OPENERS and word.form not in _CALENDAR
    return is_name or word.written[0].isdigit()


def _as_word(written: str) -> Word:
    return Word(fold(written), written, False, False, False, True)
