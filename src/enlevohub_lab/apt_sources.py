"""Find the Debian mirror in this machine's own apt configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from enlevohub_lab.errors import LabError

MIRROR_SETTING = "ENLEVOHUB_DEBIAN_MIRROR"
DEFAULT_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
RELEASES = frozenset({"bullseye", "bookworm", "trixie", "forky", "sid", "stable", "oldstable", "testing", "unstable"})


@dataclass(frozen=True)
class AptSource:
    """One binary package source: an address, a suite, its components and (where named) its key file."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True)
class DebianMirror:
    """Where Debian packages come from; `security` is empty where the machine has no security source."""

    main: str
    security: str
    keyring: Path

    def sources(self, release: str) -> str:
        """The content of a deb822 sources file for a release (a codename such as "trixie")."""
        entries = [(self.main, f"{release} {release}-updates")]
        if self.security:
            entries.append((self.security, f"{release}-security"))
        return "\n".join(
            f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\nSigned-By: {DEFAULT_KEYRING}\n"
            for uri, suites in entries
        )

    def lines(self, release: str) -> list[str]:
        """The same as one-line entries, with the key file of this machine."""
        option = f"[signed-by={self.keyring}]"
        entries = [f"deb {option} {self.main} {suite} main" for suite in (release, f"{release}-updates")]
        if self.security:
            entries.append(f"deb {option} {self.security} {release}-security main")
        return entries


def parse_one_line(text: str) -> list[AptSource]:
    """The `deb` lines of a sources.list file."""
    found = []
    for line in text.splitlines():
        match = re.match(r"^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)", line)
        if not match:
            continue
        options, uri, suite, components = match.groups()
        signed_by = re.search(r"(?:^|\s)signed-by=(\S+)", options or "", re.IGNORECASE)
        found.append(AptSource(uri, suite, tuple(components.split()), signed_by.group(1) if signed_by else ""))
    return found


def parse_deb822(text: str) -> list[AptSource]:
    """The enabled `deb` stanzas of a *.sources file, one entry per address and suite."""
    found = []
    uncommented = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", uncommented):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in (" ", "\t"):
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        key = fields.get("signed-by", "")
        signed_by = key if key.startswith("/") else ""
        found += [
            AptSource(uri, suite, tuple(fields.get("components", "").split()), signed_by)
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return found


def read_sources(apt_directory: Path = Path("/etc/apt")) -> list[AptSource]:
    """Every package source of this machine, in apt's own order of files."""
    parts = apt_directory / "sources.list.d"
    lists = [apt_directory / "sources.list", *sorted(parts.glob("*.list"))]
    found = [source for path in lists if path.is_file() for source in parse_one_line(path.read_text(errors="replace"))]
    for path in sorted(parts.glob("*.sources")):
        found += parse_deb822(path.read_text(errors="replace"))
    return found


def _is_debian(source: AptSource, suffix: str) -> bool:
    release, _, rest = source.suite.partition("-") if suffix else (source.suite, "", "")
    if not suffix and "/" in release:
        return False
    return release in RELEASES and rest == suffix and "main" in source.components


def _score(source: AptSource, sources: Iterable[AptSource]) -> int:
    """How sure it is that a source with a Debian suite name is Debian itself and not a third party."""
    signed = 2 if "debian-archive" in source.signed_by else 0
    path = 1 if source.uri.rstrip("/").rsplit("/", 1)[-1] in ("debian", "debian-security") else 0
    updates = any(other.uri == source.uri and other.suite == f"{source.suite}-updates" for other in sources)
    return signed + path + int(updates)


def _address(uri: str) -> str:
    """The address itself, where a cloud image names a file of addresses instead (mirror+file:/path)."""
    if not uri.startswith("mirror+file:"):
        return uri.rstrip("/")
    path = Path("/" + uri.removeprefix("mirror+file:").lstrip("/"))
    words = path.read_text().split() if path.is_file() else []
    if not words:
        raise LabError(f"apt names {path} as its list of mirrors, but it has no address. Set {MIRROR_SETTING}.")
    return words[0].rstrip("/")


def find_debian_mirror(sources: list[AptSource], environment: Mapping[str, str]) -> DebianMirror | None:
    """The Debian mirror to use, or None when this machine has none.

    The setting ENLEVOHUB_DEBIAN_MIRROR ("main address", or "main address, security address" parted by a space)
    wins over the machine's configuration.

    Raises:
        LabError: the setting is not one or two http(s) or file addresses.
    """
    setting = environment.get(MIRROR_SETTING, "").split()
    if setting:
        if len(setting) > 2 or not all(re.match(r"(https?|file)://?[^/\s]*/?\S*$", uri) for uri in setting):
            raise LabError(f'{MIRROR_SETTING} must be "MAIN_ADDRESS" or "MAIN_ADDRESS SECURITY_ADDRESS".')
        return DebianMirror(setting[0].rstrip("/"), setting[1].rstrip("/") if setting[1:] else "", DEFAULT_KEYRING)
    usable = [source for source in sources if not source.uri.startswith("cdrom:")]
    mains = [source for source in usable if _is_debian(source, "") and _score(source, usable)]
    if not mains:
        return None
    main = max(mains, key=lambda source: _score(source, usable))
    security = [source for source in usable if _is_debian(source, "security")]
    keyring = Path(main.signed_by) if main.signed_by else DEFAULT_KEYRING
    return DebianMirror(_address(main.uri), _address(security[0].uri) if security else "", keyring)
