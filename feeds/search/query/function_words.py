"""Function words of several languages, such as "the" and "what", which a search leaves out. Pure.

The lists have the most frequent function words, above all the question words. A function word that
is missing here does little harm, as a common word has a low weight in the ranking.
"""

import re
from collections.abc import Iterable

_LISTS = {
    "en": """
        a about again all also am an and any are as at be because been before being between both
        but by can could did do does doing done during each ever few for from further had has have
        having he her here hers him his how i if in into is it its just latest may me might more
        most must my news no nor not of off on once only or other our out over own please recent
        recently said same shall she should so some such tell than that the their them then there
        these they this those through to too under until up us very was we were what when where
        whether which while who whom whose why will with would you your
    """,
    "de": """
        aber als am an auch auf aus bei bin bis das dass dem den der des die doch durch ein eine
        einem einen einer eines er es für gibt hat hatte ich ihr im in ist ja kann mit nach nicht
        noch nur oder sein sich sie sind so über um und uns unter vom von vor wann war waren warum
        was welche welcher welches wenn wer werden wie wieso wir wird wo zu zum zur
    """,
    "es": """
        al algo como cómo con cual cuál cuando cuándo de del donde dónde e el ella en entre era es
        esta está este fue ha han hay la las le lo los más me mi muy no o para pero por porque que
        qué quien quién se ser si sin sobre son su sus también un una uno y ya
    """,
    "fr": """
        a à au aux avec c ce ces cette comment d dans de des du elle en est et était être eu fait
        il ils j je l la le les leur lui m mais me mes n ne nous on ou où par pas plus pour
        pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se ses si son sont sur
        un une vous y
    """,
    "it": """
        a ad ai al alla alle anche che chi ci come con cosa da dal dalla degli dei del della delle
        di dove e è ed era gli ha hanno i il in la le lo ma nel nella non o per perché più quale
        quali quando quanto se si sono su sua sul sulla suo tra un una uno
    """,
    "nl": """
        aan al als bij dan dat de die dit door een en er had heb heeft het hij hoe ik in is je kan
        maar me met naar niet nog of om omdat onder ook op over te tot uit van voor waar waarom
        wanneer want was wat we welke werd wie wordt ze zich zijn zo zou
    """,
    "pt": """
        a à ao aos as às com como da das de do dos e é ela ele em entre era essa esse esta está
        este eu foi há isso já mais mas me na não nas no nos o onde os ou para pela pelo por porque
        qual quais quando que quem se sem ser seu sobre sua são também um uma
    """,
    "pl": """
        a ale bo był była było być co czy dla do gdzie i ich ile jak jaki jakie jako jest już kiedy
        kto która które który lub ma na nie o od po pod przez przy są się tak to w we z za ze że
    """,
    "ru": """
        а без бы был была было быть в во вот все где да для до его ее если есть же за и из или им
        их к как какие какой когда кто ли мы на не но о об он она они от по почему при с со так то
        у чего чем что это я
    """,
    "sv": """
        att av blev de den det där då efter en ett för från ha han har hon hur i in inte jag kan
        man med men mot när och om på sig sin som så till under upp ut vad var varför vem vi vid
        vilka vilken är över
    """,
}
FUNCTION_WORDS = {name: frozenset(words.split()) for name, words in _LISTS.items()}
_QUESTION_WORDS = frozenset(
    """
    what when where which who whom whose why how is are was were do does did can could should
    will would has have was wer wie wo wann warum wieso welche welcher welches qué quién cuál
    cuándo dónde cómo quand pourquoi comment quel quelle quels quelles qui quoi chi cosa dove
    perché quale quali quem onde qual wat waar waarom wanneer welke wie hoe co czy gdzie kiedy kto
    jak что кто где когда почему как какой какие vad varför vem hur vilka vilken
    """.split()  # noqa: SIM905 - prose is easier to read and to change
)
_WORD = re.compile(r"\w+")


def without_function_words(words: Iterable[str]) -> list[str]:
    """Return `words` in their order without the function words, or all if no other word is left.

    The words of English are left out. If `words` contain at least two function words of another
    language, and more than of English, those of that language are left out instead. So "die hard"
    is not German.
    """
    pairs = [(word, _plain(word)) for word in words]
    plain_words = {plain for _, plain in pairs}
    left_out = set(FUNCTION_WORDS["en"])
    counts = {name: len(plain_words & listed) for name, listed in FUNCTION_WORDS.items()}
    likeliest = max(counts, key=lambda name: counts[name])
    if counts[likeliest] >= 2 and counts[likeliest] > counts["en"]:
        left_out = set(FUNCTION_WORDS[likeliest])
    return [word for word, plain in pairs if plain not in left_out] or [word for word, _ in pairs]


def is_question(text: str) -> bool:
    """Return True if the text ends with a question mark, or starts with a question word and has at
    least three words."""
    words = _WORD.findall(text.casefold())
    ends_with_mark = text.rstrip().endswith(("?", "？", "؟"))
    return len(words) > 0 and (ends_with_mark or (len(words) > 2 and words[0] in _QUESTION_WORDS))


def _plain(word: str) -> str:
    """Return the first run of letters and digits in lower case: "what" for "What's"."""
    match = _WORD.search(word.casefold())
    return match[0] if match else ""
