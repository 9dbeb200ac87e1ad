"""Clean feed texts before a language model reads them, against prompt injection. Pure.

Markup and invisible characters are removed. Texts that give orders to a model are detected by
common phrases in many languages. The rest is fenced with a secret that its author cannot guess.
This does not stop every attack, so the output of the model is checked too (digests.text.check).
"""

import re
import unicodedata
from collections.abc import Sequence
from html import unescape

MAX_CHARACTERS = 1500
"""Characters of one text that a model sees. News articles state the facts first."""
_ROUNDS = 3
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|$)|<(script|style|template|noscript)\b.*?(?:</\1\s*>|$)|<!\[CDATA\[|\]\]>"
    r"|</?[a-z!?][^<>]{0,2000}>",
    re.IGNORECASE | re.DOTALL,
)
_TEMPLATE = re.compile(r"<\|[^|<>]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>", re.IGNORECASE)
_IMAGE = re.compile(r"!\[[^\[\]]{0,300}\]\([^()]{0,2000}\)")
_LINK = re.compile(r"\[([^\[\]]{0,300})\]\([^()\s]{0,2000}\)")
_URL = re.compile(r"\b(?:https?|ftp|javascript|data):\S+|\bwww\.\S+", re.IGNORECASE)
_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{80,}")
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that are displayed as blanks."""
_LOOKALIKES = str.maketrans("аеіοорсухѕјԁһқԛɡı", "aeioopcyxsjdhkqgi")


def visible(text: str) -> str:
    """Return the text without markup, links and invisible characters: what a person reads."""
    text = text[: MAX_CHARACTERS * 40]
    for _ in range(_ROUNDS):
        before, text = text, _HIDDEN.sub(" ", unescape(_TEMPLATE.sub(" ", text)))
        if text == before:
            break
    text = "".join(character for character in text if _is_visible(character))
    text = _TEMPLATE.sub(
        " ", _BLOB.sub(" ", _URL.sub(" ", _LINK.sub(r"\1", _IMAGE.sub(" ", text))))
    )
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def cleaned(text: str, most: int = MAX_CHARACTERS) -> str:
    """Return `visible(text)` in NFKC, cut at a word boundary to at most `most` characters."""
    text = visible(unicodedata.normalize("NFKC", text))
    if len(text) <= most:
        return text
    return text[:most].rsplit(" ", 1)[0] if " " in text[most // 2 : most] else text[:most]


def fenced(texts: Sequence[str], nonce: str) -> str:
    """Number the texts from 1 and put each between markers that contain the secret `nonce`."""
    return "\n".join(
        f"[source {n} {nonce}]\n{text.replace(nonce, '')}\n[end of source {n} {nonce}]"
        for n, text in enumerate(texts, 1)
    )


def gives_orders(text: str) -> bool:
    """Whether the text addresses a language model, as in "ignore your instructions"."""
    folded = unicodedata.normalize("NFKC", visible(text)).casefold()
    folded = " ".join(folded.split())
    return any(
        _ORDERS.search(form) or _SQUASHED.search("".join(filter(str.isalnum, form)))
        for form in (folded, folded.translate(_LOOKALIKES))
    )


def _is_visible(character: str) -> bool:
    if character in "\n\t ":
        return True
    if character in _BLANK or "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0000":
        return False
    return unicodedata.category(character) not in ("Cf", "Cc", "Co", "Cs", "Cn")


_WHO = (
    r"(?:ai|a\.i\.|llms?|(?:large )?language models?|(?:ai )?assistants?|chatbots?|summari[sz]ers?"
    r"|chatgpt|gpt|claude|gemini|copilot|bots?|ai models?)"
)
_RULES = r"(?:instructions?|prompts?|rules|directions|directives?|guidelines|commands?|context)"
_ORDERS = re.compile(
    "|".join(
        (
            rf"\b(?:ignore|disregard|forget|override|bypass|discard)\b.{{0,40}}\b(?:previous|prior"
            rf"|above|earlier|preceding|all|your|these|foregoing|the)\b.{{0,30}}\b{_RULES}\b",
            r"\b(?:ignore|disregard|forget) (?:everything|all|anything|the text|what is) "
            r"(?:above|before|that came before|you were told|written above)",
            r"\byou are now (?:a|an|in|my|the|no longer|free|dan)\b|\bfrom now on,? you\b",
            r"\bpretend (?:to be|you are|that you)\b|\bact as (?:an? )?"
            rf"(?:{_WHO}|dan|unrestricted|my|root|admin)",
            rf"\bnew {_RULES}\b ?:|\bsystem (?:prompt|message|override|instruction|note) ?:",
            r"\bdeveloper mode\b|\bdo anything now\b|\bend of (?:the )?(?:sources?|articles?|input|"
            r"context|data|documents?)\b.{0,60}\b(?:now|instructions?|system|user|assistant)\b",
            r"\b(?:note|message|instructions?|attention|memo|hint|warning|dear|hey|hello) "
            rf"(?:to |for )?(?:the |any |all )?{_WHO}\b ?[:,.!](?!\d)",
            rf"\b{_WHO} ?[,:] ?(?:please |you )?(?:must |should )?(?:ignore|write|say|respond|reply"
            r"|output|include|do not|never|always|add|append|tell|print|recommend|mention)\b",
            r"\bas an ai(?: language)?(?: model| assistant| system)?,? (?:you|i)\b",
            rf"\b(?:if|when|since|because|as) you(?: are|'re| were)? (?:an? )?{_WHO}\b",
            r"\b(?:respond|reply|answer|output|summari[sz]e this) (?:only |just |solely )?"
            r"(?:with|as|by)\b(?: .{0,30}\"| the (?:word|phrase|following|text)| only\b)",
            r"\b(?:begin|start|end|finish) (?:your|the|every) "
            r"(?:answer|response|reply|summary|output)",
            r"\b(?:include|add|insert|append|repeat|mention|put) .{0,60}\b"
            r"(?:in|to|into|at the end of) (?:your|the|every) "
            r"(?:summary|response|answer|output|reply|digest)",
            r"\b(?:reveal|print|show|repeat|leak|output|disclose|send) (?:me )?(?:your|the) "
            r"(?:hidden |initial |full |secret )?(?:system )?"
            r"(?:prompt|instructions|api[ -]?key|secrets?|password)",
            r"(?:^|[\n.!?>\]] ?|# ?)(?:system|assistant|user|human) ?: ",
            r"\bignorier\w*\b.{0,40}(?:anweisung|vorherig|bisherig|regel)"
            r"|\bvergi(?:ss|ß)\b.{0,40}(?:anweisung|vorherig|bisherig|regel)",
            r"\b(?:ignore[zr]?|oublie[zr]?|ne tiens? pas compte)\b.{0,40}"
            r"(?:instruction|consigne|pr[ée]c[ée]dent)",
            r"\b(?:ignor[ae]n?|olvid[ae]n?|omit[ae])\b.{0,40}(?:instruccion|anterior|indicacion)",
            r"\b(?:ignora|ignorate|dimentica)\b.{0,40}(?:istruzion|precedent)",
            r"\b(?:ignore|esque[çc]a|desconsidere)\b.{0,40}(?:instruç|anterior)",
            r"\bnegeer\b.{0,40}(?:instructies|vorige|eerdere)",
            r"\babaikan\b.{0,40}(?:instruksi|perintah|sebelumnya)",
            r"\b(?:zignoruj|pomi[ńn])\b.{0,40}(?:instrukcj|poprzedni|polecen)",
            r"(?:игнориру|забудь|не обращай).{0,40}(?:инструкц|предыдущ|указан|выше)",
            r"(?:önceki|yukarıdaki).{0,40}(?:talimat|komut).{0,30}"
            r"(?:yok say|unut|görmezden|dikkate alma)",
            r"bỏ qua.{0,40}(?:hướng dẫn|chỉ dẫn|lệnh)",
            r"(?:忽略|无视|無視|忘记|忘掉|不要理会).{0,20}(?:指令|指示|提示|之前|以上|上述|规则)",
            r"(?:以前|上記|上の|これまで|前)の?.{0,10}(?:指示|命令|プロンプト|ルール).{0,12}(?:無視|忘れ)",
            r"(?:이전|위의|앞의|지금까지).{0,20}(?:지시|명령|지침|프롬프트).{0,12}(?:무시|잊)",
            r"(?:تجاهل|انس|تجاوز).{0,40}(?:التعليمات|السابقة|الأوامر)",
            r"(?:पिछले|पूर्व|सभी|उपरोक्त).{0,30}निर्देश.{0,30}(?:अनदेखा|नज़रअंदाज़|भूल|ध्यान न)",
        )
    )
)
_SQUASHED = re.compile(
    r"(?:ignore|disregard|forget)(?:all|any|the|your|these)*(?:previous|prior|above|earlier)"
    r"(?:instructions?|prompts?|rules)|ignoretheabove|(?:reveal|print|show|leak)your(?:system)?prompt"
)
"""Finds the most common phrases also if they are written without spaces."""
