"""The curated topics of AI news, and a function that finds the topics of a text. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. A text is about it if it contains one of the `patterns`, words in lower case.

    `group` is the heading of the topic where all are listed.
    """

    slug: str
    label: str
    patterns: tuple[str, ...]
    group: str = ""


_GROUPS = {
    "openai": "Labs and companies",
    "llm": "Models and methods",
    "diffusion": "Pictures, sound and robots",
    "evaluation": "Safety and society",
    "business": "Business and engineering",
    "science": "Science and uses",
}
"""{first topic of a group: heading}, in the order of the table."""


# One topic per line, followed by its patterns on indented lines.
_TABLE = """
openai: OpenAI
    openai, chatgpt, sam altman, gpt-4, gpt-4o, gpt-4.1, gpt-5, gpt-6, sora, dall-e, codex,
    gpt-oss
anthropic: Anthropic
    anthropic, claude, claude code, dario amodei
google: Google AI
    deepmind, gemini, gemma, google ai, google research, notebooklm, alphafold, veo, google
    cloud, vertex ai, hassabis
meta: Meta AI
    meta ai, llama, llama 3, llama 4, zuckerberg, meta superintelligence, fair at meta,
    lecun
microsoft: Microsoft AI
    microsoft, azure, copilot, nadella, phi-4, phi-3
apple: Apple AI
    apple intelligence, siri, apple silicon, mlx
amazon: Amazon AI
    amazon bedrock, bedrock, aws, amazon nova, sagemaker, alexa, trainium
nvidia: NVIDIA
    nvidia, cuda, blackwell, jensen huang, h100, h200, nemotron, tensorrt, dgx
xai: xAI
    xai, x.ai, grok
mistral: Mistral
    mistral, mixtral, mistral ai, le chat, codestral, devstral, magistral
deepseek: DeepSeek
    deepseek
qwen: Qwen and Alibaba
    qwen, qwen2, qwen2.5, qwen3, alibaba, tongyi
moonshot: Moonshot and Kimi
    kimi, moonshot ai, kimi k2
cohere: Cohere
    cohere
hugging-face: Hugging Face
    hugging face, huggingface, smollm
perplexity: Perplexity
    perplexity ai, perplexity
stability: Stability and Midjourney
    stability ai, stable diffusion, midjourney, black forest labs, flux.1
china: AI in China
    baidu, bytedance, tencent, zhipu, ernie bot, chinese ai, huawei, ascend, minimax, z.ai,
    glm-4.5, glm-4.6
llm: Language models
    llm, llms, language model, language models, large language model, large language models,
    chatbot, chatbots, foundation model, foundation models, slm
reasoning: Reasoning
    reasoning, reasoning model, reasoning models, chain of thought, chain-of-thought,
    test-time compute, test-time scaling, inference-time scaling
agents: Agents
    agent, agents, agentic, ai agent, ai agents, multi-agent, computer use, autonomous
    agents
mcp: Tools and MCP
    mcp, model context protocol, tool use, tool calling, function calling
coding: AI for coding
    coding, cursor, windsurf, github copilot, code generation, vibe coding, swe-bench,
    coding agent, coding agents, code review, pair programmer, ide
rag: Retrieval
    rag, retrieval-augmented, retrieval augmented, vector database, vector search,
    embedding, embeddings, semantic search, reranker
prompting: Prompting and context
    prompt engineering, prompting, prompts, context engineering, system prompt, context
    window, long context
training: Training
    pretraining, pre-training, post-training, distributed training, training run, optimizer,
    scaling law, scaling laws, gradient descent
fine-tuning: Fine-tuning
    fine-tuning, fine-tune, finetuning, fine-tuned, lora, qlora, distillation, instruction
    tuning, peft
reinforcement-learning: Reinforcement learning
    reinforcement learning, rlhf, rlvr, grpo, ppo, dpo, reward model, reward models, reward
    hacking
architectures: Architectures
    transformer, transformers, attention, mixture of experts, mixture-of-experts, moe, state
    space model, mamba, diffusion transformer, world model, world models
quantization: Quantization and efficiency
    quantization, quantized, quantisation, int8, fp8, nvfp4, gguf, pruning, sparsity,
    speculative decoding
inference: Inference and serving
    inference, vllm, sglang, kv cache, throughput, latency, model serving, tensorrt-llm
open-models: Open models
    open-source model, open source model, open-source models, open models, open-weight, open
    weights, open-weights, open-source ai, open source ai
local-ai: Local and on-device
    ollama, llama.cpp, on-device, local llm, local llms, lm studio, edge ai, webgpu,
    raspberry pi
diffusion: Diffusion models
    diffusion, diffusion model, diffusion models, flow matching
multimodal: Multimodal
    multimodal, multi-modal, vision-language, vision language, vlm, vlms, omni
image-generation: Image generation
    image generation, text-to-image, image generator, image editing, nano banana, dall-e,
    imagen
video-generation: Video generation
    video generation, text-to-video, sora, veo, runway, kling, video model, pika labs
speech: Speech and audio
    speech recognition, text-to-speech, speech-to-text, voice ai, voice mode, voice agent,
    voice agents, whisper, elevenlabs, voice cloning, audio model, tts
music: Music
    suno, udio, music generation, ai music
computer-vision: Computer vision
    computer vision, object detection, image segmentation, image recognition, segment
    anything, ocr, 3d reconstruction, gaussian splatting
nlp: Language processing
    nlp, natural language processing, machine translation, tokenizer, tokenization,
    summarization, sentiment analysis
robotics: Robotics
    robot, robots, robotics, humanoid, humanoids, embodied, boston dynamics, figure ai,
    vision-language-action
self-driving: Self-driving
    self-driving, autonomous driving, autonomous vehicle, autonomous vehicles, waymo,
    robotaxi, robotaxis, tesla fsd, zoox
evaluation: Benchmarks and evaluation
    benchmark, benchmarks, benchmarking, evals, evaluation, leaderboard, arc-agi, mmlu,
    lmarena, chatbot arena, humanity's last exam
interpretability: Interpretability
    interpretability, mechanistic interpretability, sparse autoencoder, sparse autoencoders,
    explainability, explainable ai, circuit tracing
safety: Safety and alignment
    ai safety, alignment, misalignment, red team, red teaming, red-teaming,
    superintelligence, existential risk, responsible scaling, ai risk, guardrails, scheming
security: Security
    prompt injection, jailbreak, jailbreaks, jailbreaking, vulnerability, vulnerabilities,
    cybersecurity, malware, data poisoning, deepfake detection, cve
hallucination: Truth and hallucination
    hallucination, hallucinations, hallucinate, factuality, misinformation, disinformation,
    deepfake, deepfakes, watermarking, ai slop
privacy: Privacy
    privacy, gdpr, differential privacy, federated learning, personal data, surveillance,
    facial recognition
policy: Policy and regulation
    ai act, eu ai act, regulation, regulations, regulator, regulators, executive order, ai
    policy, legislation, lawmakers, export controls, sb 53, ftc, antitrust, senate, congress
copyright: Copyright
    copyright, copyrighted, fair use, lawsuit, lawsuits, infringement, training data
    licensing, new york times v
ethics: Ethics and bias
    ai ethics, bias, fairness, responsible ai, discrimination, ai ethics board
jobs: Work and the economy
    layoffs, jobs, labor market, labour market, future of work, productivity, workforce,
    unemployment, automation
business: Business and funding
    funding, series a, series b, series c, valuation, raises, startup, startups,
    acquisition, acquires, ipo, investors, venture capital, revenue, unicorn
enterprise: AI in companies
    enterprise, enterprises, enterprise ai, customer service, customer support, salesforce,
    sap, servicenow
chips: Chips
    gpu, gpus, tpu, tpus, ai chip, ai chips, semiconductor, semiconductors, tsmc, amd,
    accelerator, accelerators, cerebras, groq, npu, hbm, asml
data-centers: Data centres and energy
    data center, data centers, data centre, data centres, datacenter, datacenters, stargate,
    gigawatt, power grid, nuclear power, coreweave, supercomputer, hyperscaler, hyperscalers
data: Data
    dataset, datasets, synthetic data, training data, data curation, common crawl, data
    labeling, annotation
mlops: Engineering and MLOps
    mlops, llmops, kubernetes, mlflow, observability, langchain, langgraph, llamaindex,
    fine-grained tracing, model registry
frameworks: Frameworks
    pytorch, jax, tensorflow, keras, triton, torch.compile, scikit-learn, onnx
science: AI for science
    protein, proteins, alphafold, drug discovery, materials science, biology, chemistry,
    physics, weather forecasting, climate, genomics, quantum, astronomy
mathematics: Mathematics
    theorem, theorems, theorem proving, mathematics, mathematicians, math olympiad, imo,
    lean 4, alphaproof, erdős
health: Health
    healthcare, health care, medical, medicine, clinical, patients, radiology, hospital,
    hospitals, diagnosis, fda, doctors
education: Education
    education, students, teachers, classroom, classrooms, schools, tutoring, universities,
    homework
defence: Defence
    pentagon, military, defense department, department of defense, palantir, anduril,
    autonomous weapons, drones, warfare
agi: AGI
    agi, artificial general intelligence, superintelligence, superintelligent, singularity
research: Research
    arxiv, neurips, icml, iclr, cvpr, acl, emnlp, preprint, peer review
products: Products and releases
    release notes, changelog, now available, general availability, generally available,
    public preview, rolling out
search: AI in search and browsers
    ai overviews, ai mode, ai browser, ai search, comet browser, chatgpt atlas, answer
    engine
"""


def _read_table(table: str) -> tuple[Topic, ...]:
    heads = re.split(r"^(?=\S)", table.strip(), flags=re.MULTILINE)
    topics: list[Topic] = []
    group = ""
    for lines in filter(None, heads):
        head, _, words = lines.partition("\n")
        slug, _, label = head.partition(": ")
        group = _GROUPS.get(slug, group)
        patterns = tuple(word.strip() for word in words.split(",") if word.strip())
        topics.append(Topic(slug, label, patterns, group))
    return tuple(topics)


TOPICS = _read_table(_TABLE)
LABELS: dict[str, str] = {topic.slug: topic.label for topic in TOPICS}

# Latin letters only, so that names are found between Chinese and Japanese characters too.
_WORD = re.compile(r"[a-z0-9à-ɏ]+(?:[-.'+][a-z0-9à-ɏ]+)*")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:[-.'+][a-z0-9]+)*")
"""The same for ASCII text, in half of the time."""
_MAX_TOPICS = 8


def _index() -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[tuple[int, str, str], ...]]]:
    """Return {pattern of one word: numbers of topics} and {first word: ((number, second word,
    pattern), ...)}.

    The second has the patterns of several words, which are separated by two spaces, so that each
    has spaces of its own on both sides. Otherwise `str.count` would miss adjacent matches.
    """
    single: defaultdict[str, list[int]] = defaultdict(list)
    several: defaultdict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for number, topic in enumerate(TOPICS):
        for pattern in topic.patterns:
            words = _WORD.findall(pattern)
            if len(words) == 1:
                single[words[0]].append(number)
            else:
                several[words[0]].append((number, words[1], f" {'  '.join(words)} "))
    numbers = {word: tuple(entries) for word, entries in single.items()}
    return numbers, {word: tuple(entries) for word, entries in several.items()}


# Looking up words takes the same time for any number of patterns, unlike a regular expression.
_SINGLE, _SEVERAL = _index()
_KNOWN_WORDS = frozenset(
    [*_SINGLE, *_SEVERAL, *(second for rows in _SEVERAL.values() for _, second, _ in rows)]
)


def match_topics(text: str, categories: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the slugs of at most 8 topics that `text` or `categories` mention.

    The topics that are mentioned most often come first, ties in the curated order.
    """
    lower = "\n".join((text, *categories)).lower()
    if lower.isascii():
        words = _ASCII_WORD.findall(lower)
    else:
        words = _WORD.findall(lower.replace("’", "'"))
    hits = list(filter(_KNOWN_WORDS.__contains__, words))
    if not hits:
        return ()
    counts = _count(hits, words)
    ranked = sorted([(-times, number) for number, times in counts.items()])
    return tuple([TOPICS[number].slug for _, number in ranked[:_MAX_TOPICS]])


def _count(hits: Sequence[str], words: Sequence[str]) -> dict[int, int]:
    """Return {number of a topic: how often `words` have one of its patterns}.

    `hits` are those words that are the first or the second of a pattern.
    """
    counts: dict[int, int] = {}
    for word in hits:
        for number in _SINGLE.get(word, ()):
            counts[number] = counts.get(number, 0) + 1
    line = ""
    present = set(hits)
    for word in _SEVERAL.keys() & present:
        for number, second, phrase in _SEVERAL[word]:
            if second in present:
                line = line or f" {'  '.join(words)} "
                if times := line.count(phrase):
                    counts[number] = counts.get(number, 0) + times
    return counts
