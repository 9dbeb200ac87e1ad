"""`python -m tests.nginx_pages` writes the pages in deploy/errors, which Nginx shows itself.

They look like those of ainews_site.infra.problem_page, with all that they need in one file, because
AI News may be what does not answer.
"""

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "deploy" / "errors"
SENTENCES = {
    "413": ("Too large", "What you sent is larger than this site accepts.", "Nothing was saved."),
    "429": ("Please wait", "Too many requests. Try again in a minute.", "Nothing was saved."),
    "503": (
        "Temporarily unavailable",
        "AI News is starting, busy or being updated. Try again in a moment.",
        "What you sent last may not have been saved. Your news is safe.",
    ),
}


def page(name: str) -> str:
    """Return the page for a status."""
    from ainews_site.infra.problem_page import Problem, page_of

    title, happened, done = SENTENCES[name]
    html = page_of(Problem(title, happened, done))
    style = (ROOT / "static" / "css" / "problem.css").read_text()
    icon = (ROOT / "static" / "icon.svg").read_text().strip()
    icon = icon.replace("<svg ", '<svg width="28" height="28" aria-hidden="true" ')
    html = re.sub(r' *<link rel="icon"[^>]*>\n', "", html)
    html = re.sub(r'<link rel="stylesheet"[^>]*>', lambda _: f"<style>\n{style}</style>", html)
    return re.sub(r"<img [^>]*>", lambda _: icon, html)


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
    django.setup()
    for name in SENTENCES:
        (FOLDER / f"{name}.html").write_text(page(name))


if __name__ == "__main__":
    main()
