"""Labels of texts for simulated readers, which are independent of the ranker's topics. Pure.

No word of this table is a pattern of `feeds.core.topics`. Labels are found in the whole text and
in the feed's categories, while the ranker sees the title, the summary and the source. Some labels
match no topic, because readers have interests that a list of topics does not foresee.
"""

import re
from collections import Counter
from collections.abc import Iterable

MAX_LABELS = 2
"""Labels of a text."""
IN_TITLE = 3
"""Weight of a word of the title, relative to a word of the text."""
MIN_COUNT = 1
MAX_TEXT = 4_000

# A label, the topics by which a reader would declare it (none for some), and its words.
_TABLE = """
minds: interpretability
    neuron neurons features activations circuits probe probes geometry representations
    steering internals latent
dangers: safety, security
    oversight deception sabotage misuse adversarial safeguards incident incidents catastrophic
    exploit exploits attacker attackers threat threats patch leak leaked
states: policy, defence
    government governments minister ministry nations treaty court courts judge law laws election
    parliament commission sovereign embassy
money: business
    billion million price prices pricing bank banks financial finance insurance invest
    investment shares deal merger profit paid
customers: enterprise
    customer customers clients deployed rollout adopted adopts rolled
    workflow workflows
people:
    joins appointed hire hires hiring office founder founders chief executive board resigns
    engineer leaves
craft: coding, mcp
    terminal editor debug debugging repository git cli sdk plugin plugins hooks commit commits
    compiler refactor keyboard
fixes: products
    fixed fixes improved bug bugs crash crashes regression
pipes: data, mlops, rag
    pipeline pipelines database databases schema warehouse orchestration ingestion queries index
    indexes sql lineage backfill
speed: inference, chips, quantization
    kernel kernels memory bandwidth faster compute cluster clusters milliseconds batch cores
    precision watts
bodies: health, science
    clinician clinicians disease cancer cell cells gene genes brain surgery nurses therapy
    molecules species enzyme
young:
    child children parent parents teenager teenagers learn course courses
    curriculum university scholarship pupils teacher
essays:
    essay writing wrote ideas life taste beauty ambition people's writer writers
    reader readers
senses: multimodal, speech, image-generation, video-generation
    image images photo photos camera audio sound sounds voice song songs speaker pixel pixels
    film
counts: evaluation
    survey measure measured measuring score scores ranking study studies statistics sample
    respondents findings
nature: data-centers
    water grid electricity river carbon turbine solar heat weather reactor
"""


def _read(table: str) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Parse the table into {label: topics} and {word: label}."""
    topics: dict[str, tuple[str, ...]] = {}
    labels: dict[str, str] = {}
    for line in table.strip().splitlines():
        if not line.startswith(" "):
            label, _, named = line.partition(":")
            topics[label] = tuple(named.replace(",", " ").split())
        else:
            labels |= dict.fromkeys(line.split(), label)
    return topics, labels


TOPICS_OF, LABEL_OF = _read(_TABLE)
LABELS = tuple(TOPICS_OF)
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")


def label(title: str, text: str, categories: Iterable[str] = ()) -> frozenset[str]:
    """Return the one or two most frequent labels of a text; none if it has no word of the table."""
    counts: Counter[str] = Counter()
    for name_ in _named(title):
        counts[name_] += IN_TITLE
    counts.update(_named(text[:MAX_TEXT]))
    counts.update(_named(" ".join(categories)))
    ranked = sorted(counts, key=lambda name: (-counts[name], LABELS.index(name)))
    return frozenset(name for name in ranked[:MAX_LABELS] if counts[name] >= MIN_COUNT)


def _named(text: str) -> list[str]:
    return [LABEL_OF[word] for word in _WORD.findall(text.lower()) if word in LABEL_OF]
