"""What the browser tests share: the readers, the watch over a page, the pictures of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Error, Page

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
LOCALES = {"pt": "pt-BR", "en": "en-US"}

# Records every breach of the content security policy, also one that the console would not show.
CSP_RECORDER = """
window.__cspViolations = [];
addEventListener("securitypolicyviolation", (event) =>
  window.__cspViolations.push(event.effectiveDirective + " " + event.blockedURI));
"""


AXE = Path(__file__).parents[2] / "files" / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
"""Rules of accessibility, a development package of the web client."""

PICTURES_SHOWN = """
Promise.all([...document.images].map((image) => {
  image.loading = "eager";
  return image.decode().catch(() => null);
})).then(() => true)
"""


@dataclass(frozen=True)
class Reader:
    """Who looks at the page: a screen size in pixels and a browser language."""

    size: str
    language: str

    def __str__(self) -> str:
        """`desktop-pt`: the test id and the name of the pictures."""
        return f"{self.size}-{self.language}"


READERS = [Reader(size, language) for size in SIZES for language in LOCALES]


@contextmanager
def whole_page(page: Page) -> Iterator[None]:
    """Let the screen grow with the page: what is fixed to its edge lies at the edge and hides nothing."""
    size = page.viewport_size
    assert size is not None
    height = int(page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": size["width"], "height": max(size["height"], height)})
    yield
    page.set_viewport_size(size)


@dataclass
class Watch:
    """What went wrong in a page without being seen: console errors, uncaught exceptions, policy breaches."""

    page: Page
    expected_statuses: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def expect_status(self, status: int) -> None:
        """Let the browser log answers with this HTTP status: the test provokes them."""
        self.expected_statuses.add(status)

    def on_console(self, message: ConsoleMessage) -> None:
        """Keep an error or a warning of the console, unless it is an expected HTTP status."""
        status = re.search(r"responded with a status of (\d{3})", message.text)
        if status and int(status.group(1)) in self.expected_statuses:
            return
        if message.type in ("error", "warning"):
            self.problems.append(f"console {message.type}: {message.text}")

    def on_page_error(self, error: Error) -> None:
        """Keep an exception that no code caught."""
        self.problems.append(f"uncaught exception: {error.message}")

    def check(self) -> None:
        """Fail when anything went wrong so far."""
        violations = self.page.evaluate("window.__cspViolations")
        problems = self.problems + [f"CSP: {violation}" for violation in violations]
        assert problems == [], "\n".join(problems)

    def check_accessibility(self) -> None:
        """Fail when the page as it is now breaks a rule of WCAG 2.2 A or AA that a program can judge."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        with whole_page(self.page):
            found = self.page.evaluate("axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })")
        breaches = [
            f"{rule['id']}: {node['html'][:150]} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]
        assert found["passes"], "no rule was checked"
        assert breaches == [], "\n".join(breaches)

    def check_no_sideways_scroll(self) -> None:
        """Fail when the page is wider than the screen."""
        overflow = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"the page is {overflow} px wider than the screen"


@dataclass
class Screenshots:
    """Names and keeps pictures of a page: `<name>-<size>-<language>.png`."""

    page: Page
    reader: Reader
    directory: Path | None

    def __call__(self, name: str, full_page: bool = True) -> None:
        """Save the page as it is now, whole or what the screen shows; does nothing without a directory."""
        if self.directory is None:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        self.page.evaluate("scrollTo(0, 0); document.fonts.ready.then(() => true)")
        self.page.evaluate(PICTURES_SHOWN)
        path = self.directory / f"{name}-{self.reader}.png"
        with whole_page(self.page) if full_page else nullcontext():
            self.page.screenshot(path=path, animations="disabled")
