"""`python -m tests.docs.generate`: bring the generated parts of the documentation up to date."""

import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
    django.setup()
    from tests.docs.blocks import ROOT, documents, regenerated

    for path in documents():
        text = path.read_text(encoding="utf-8")
        if (new := regenerated(text)) != text:
            path.write_text(new, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
