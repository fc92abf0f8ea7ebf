"""What the browser tests share: the readers, the watch over a page, the pictures of it."""

from __future__ import annotations

import re
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


PICTURES_SHOWN = """
Promise.all([...document.images].map((image) => {
  image.loading = "eager";
  return image.decode().catch(() => null);
})).then(() => true)
"""

NAMELESS = """
[...document.querySelectorAll("a, button, input, select, textarea, img, dialog")].filter((element) => {
  const labels = [...(element.labels ?? [])].map((label) => label.textContent);
  const by = (element.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean)
    .map((id) => document.getElementById(id)?.textContent ?? "");
  const own = [element.getAttribute("aria-label"), element.getAttribute("alt"), element.textContent];
  const names = [...own, ...labels, ...by];
  return element.checkVisibility() && !names.some((name) => name?.trim());
}).map((element) => element.outerHTML.slice(0, 120))
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
        assert self.problems + [f"CSP: {violation}" for violation in violations] == []

    def check_names(self) -> None:
        """Fail when a control that people can use has no name for screen readers, or when two elements share an id."""
        nameless = self.page.evaluate(NAMELESS)
        assert nameless == [], f"without a name: {nameless}"
        twice = self.page.evaluate(
            "[...document.querySelectorAll('[id]')].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i)"
        )
        assert twice == [], f"ids used twice: {twice}"

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
        self.page.screenshot(path=path, full_page=full_page, animations="disabled")
