"""Makes pages of the changelog and of how to contribute, and says what each page is about."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from rewriting import first_sentence, root_page, with_id, with_levels

ROOT = Path(__file__).parents[2]
#: What pages of the root folder are called in the site.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root folder, with their links as they are from ``docs``."""
    for name in ("CHANGELOG.md", "CONTRIBUTING.md"):
        text = root_page((ROOT / name).read_text(encoding="utf-8"), PAGES)
        files.append(File.generated(config, PAGES[name], content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Describe a page by its first sentence, and write in what its files need not say.

    The id of its title, to which docstrings refer; and the levels of the headings of the reference.
    """
    page.meta.setdefault("description", first_sentence(markdown))
    return with_levels(with_id(markdown, page.file.src_uri))
