"""The files of the web console, made from `console/` and the npm packages that it imports.

The sources are plain modules that browsers run as they are. Here they are only joined, in one file
without their comments, because each file that a visit loads is one Lambda invocation. Third-party
modules come from `node_modules`, where `make` installs what `package-lock.json` pins by hash. Each
becomes a function, so that its names do not collide.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import zopfli.gzip

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "console"
NODE_MODULES = ROOT / "node_modules"

#: The path of the console's files in the archive of the functions.
ARCHIVE_DIRECTORY = "functions/console"

#: Module specifier -> (npm package, file in it).
VENDORED = {
    "preact": ("preact", "dist/preact.mjs"),
    "preact/hooks": ("preact", "hooks/dist/hooks.mjs"),
    "htm": ("htm", "dist/htm.mjs"),
}

#: The first module, and the file that it and what it imports are joined to.
START = "./main.js"
SCRIPT = "console.js"

#: Modules that are loaded on demand: one for each language.
LOADED_LATER = ("en.js", "ar.js")

#: Files that are served without change.
STATIC = ("icon.svg",)
STYLES = "console.css"
LICENCES = "licences.txt"

#: Names the release, for the function that serves the files.
MANIFEST = "manifest.json"

_IMPORT = re.compile(r'^import\s*([^";]*?)\s*\bfrom\s*"([^"\n]+)";?\n?', re.MULTILINE)
_NAMED = re.compile(
    r"^export (?=(?:async function\*?|function\*?|class|const) ?(\w+))", re.MULTILINE
)
_TOP_LEVEL = re.compile(
    r"^(?:export )?(?:async )?(?:function\*?|class|const|let|var) (\w+)", re.MULTILINE
)
_LIST = re.compile(r"\bexport\s*\{([^}]*)\};?")
_DEFAULT = re.compile(r"\bexport default ")
_LATER = re.compile(r'\bimport\("\./([^"\n]+)"\)')
_MESSAGE = re.compile(r'^  "([\w.]+)": (.+),$', re.MULTILINE)
_SOURCE_MAP = re.compile(r"\n?//# sourceMappingURL=\S+\s*\Z")


class ConsoleError(RuntimeError):
    """The console cannot be packaged; the message says what to do."""


def console_files() -> dict[str, bytes]:
    """Every served file, with gzip, as `{name}.gz`, and `manifest.json` with their `release`.

    Raises `ConsoleError`, as `console_texts` does.
    """
    files = console_texts()
    manifest = files.pop(MANIFEST)
    return {
        # Compressed once, 4% smaller than with zlib; the function only sends it.
        **{f"{name}.gz": zopfli.gzip.compress(text.encode()) for name, text in files.items()},
        MANIFEST: manifest.encode(),
    }


def console_texts() -> dict[str, str]:
    """The text of each file before it is compressed, which takes a second of CPU.

    The release of the manifest is 12 hex digits, a hash of all contents. Raises `ConsoleError` when
    an npm package is not installed in the pinned version, and for imports that cannot be joined.
    """
    script = _joined(START)
    texts = {name: _texts(name) for name in LOADED_LATER}
    files = {
        SCRIPT: _keyed(list(texts.values())) + script,
        **{name: _values(each) for name, each in texts.items()},
        STYLES: _compact_styles(_source(STYLES)),
        **{name: _source(name) for name in STATIC},
        LICENCES: _licences(),
    }
    digest = hashlib.sha256()
    for name, text in sorted(files.items()):
        digest.update(f"{name}\0{hashlib.sha256(text.encode()).hexdigest()}\0".encode())
    release = digest.hexdigest()[:12]
    files[SCRIPT] = _LATER.sub(rf'import("./\1?v={release}").then($$keyed)', files[SCRIPT])
    return files | {MANIFEST: json.dumps({"release": release})}


def _texts(name: str) -> dict[str, str]:
    """The source text of each message of a language by its key."""
    texts = dict(_MESSAGE.findall(_source(name)))
    if not texts:
        raise ConsoleError(f"console/{name} has no messages.")
    return texts


def _values(texts: dict[str, str]) -> str:
    """A language's module as it is served: the messages without their keys."""
    return "export const messages=[" + ",\n".join(texts.values()) + "];\n"


def _keyed(texts: list[dict[str, str]]) -> str:
    """The keys, which all languages share: sent once, and joined with the texts of a language's
    file.

    `$$` is in no module's name (`_variable`).
    """
    keys = list(texts[0])
    if any(list(each) != keys for each in texts):
        raise ConsoleError("The languages of the console must have the same keys in one order.")
    return (
        f'const $$keys="{" ".join(keys)}".split(" ");\n'
        "const $$keyed=({messages})=>({messages:Object.fromEntries("
        "$$keys.map((key,index)=>[key,messages[index]]))});\n"
    )


def _joined(start: str) -> str:
    """The module `start` and all that it imports as one module, imported ones first."""
    order: dict[str, str] = {}
    _add(start, order, path=())
    vendored = [specifier for specifier in order if specifier in VENDORED]
    own = {name: text for name, text in order.items() if name not in VENDORED}
    _refuse_shared_names(list(own))
    return _without_line_ends(
        "".join(_as_function(specifier, order[specifier]) for specifier in vendored)
        + "".join(_imports_of(specifier, list(own.values())) for specifier in vendored)
        + "".join(_without_exports(specifier, text) for specifier, text in own.items())
    )


def _add(specifier: str, order: dict[str, str], *, path: tuple[str, ...]) -> None:
    if specifier in order:
        return
    if specifier in path:
        raise ConsoleError(f"Modules import each other: {' -> '.join((*path, specifier))}")
    text = _module(specifier)
    for match in _IMPORT.finditer(text):
        _add(match[2], order, path=(*path, specifier))
    order[specifier] = text


def _refuse_shared_names(modules: list[str]) -> None:
    """Modules are joined in one scope, so each name of a module's top level must be in one only."""
    owner: dict[str, str] = {}
    for module in modules:
        for name in top_level_names(module):
            if name in owner:
                raise ConsoleError(f"{owner[name]} and {module} both declare {name!r}.")
            owner[name] = module


def top_level_names(module: str) -> list[str]:
    """The names that a module of the console declares for all of it."""
    return _TOP_LEVEL.findall(_source(module.removeprefix("./")))


def _without_exports(specifier: str, text: str) -> str:
    """A module of the console without exports: all names are in one scope."""
    for match in _IMPORT.finditer(text):
        if match[2] not in VENDORED and (" as " in match[1] or match[1][:1] != "{"):
            raise ConsoleError(f"{specifier}: an import from {match[2]} must not be renamed.")
    text = _NAMED.sub("", _IMPORT.sub("", text))
    if re.search(r"^(?:import|export)\b", text, re.MULTILINE):
        raise ConsoleError(f"{specifier} has an import or export of a kind that is not supported.")
    return text


def _imports_of(specifier: str, modules: list[str]) -> str:
    """Constants for all that the modules import from a third-party module."""
    imported = {
        name.strip()
        for text in modules
        for match in _IMPORT.finditer(text)
        if match[2] == specifier
        for name in (match[1][1:-1].split(",") if match[1][0] == "{" else [f"default: {match[1]}"])
    }
    return f"const {{{','.join(sorted(imported - {''}))}}} = {_variable(specifier)};\n"


def _as_function(specifier: str, text: str) -> str:
    """A module whose imports are constants and whose exports are the result of a function."""
    exports = {}
    for listed in _LIST.findall(text):
        for entry in filter(None, map(str.strip, listed.split(","))):
            own, _, name = entry.partition(" as ")
            exports[name or own] = own
    text = _LIST.sub("", _IMPORT.sub(lambda match: _constants(match[1], match[2]), text))
    if _DEFAULT.search(text):
        text = _DEFAULT.sub("const $default = ", text)
        exports["default"] = "$default"
    if re.search(r"^(?:import|export)\b", text, re.MULTILINE):
        raise ConsoleError(f"{specifier} has an import or export of a kind that is not supported.")
    members = ",".join(f"{name}:{own}" for name, own in exports.items())
    return f"const {_variable(specifier)}=(()=>{{\n{text}\nreturn {{{members}}};\n}})();\n"


def _constants(imported: str, specifier: str) -> str:
    return f"const {imported.strip().replace(' as ', ': ')} = {_variable(specifier)};\n"


def _variable(specifier: str) -> str:
    return "$" + re.sub(r"\W", "_", specifier.removeprefix("./").removesuffix(".js"))


def _module(specifier: str) -> str:
    if specifier in VENDORED:
        return _SOURCE_MAP.sub("\n", _read_package(*VENDORED[specifier]))
    if not specifier.startswith("./"):
        raise ConsoleError(f"{specifier!r} is neither a module of the console nor in VENDORED.")
    return _without_comments(_source(specifier.removeprefix("./")))


def _source(name: str) -> str:
    try:
        return (SOURCE / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConsoleError(f"console/{name} is imported and does not exist.") from None


def _without_comments(text: str) -> str:
    """A script without comments, indentation and empty lines; every other character stays.

    Comments are whole lines, or `/** @type … */` before a value.
    """
    text = re.sub(r"/\*\* @type\b.*?\*/ (?=\S)", "", text)
    text = re.sub(r"^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*\n", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^[ \t]*//.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^[ \t]+", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{2,}", "\n", text)


def _without_line_ends(text: str) -> str:
    """A script without the line ends that mean nothing: after `;`, `,` and an opening bracket.

    Between two tags htm ignores them too. Comments are whole lines and have been removed before.
    """
    return re.sub(r"(?<=[;,{(\[])\n|(?<=>)\n(?=<)", "", text)


def _compact_styles(text: str) -> str:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r" ?([{};,]) ?|(?<=:) ", r"\1", text).strip() + "\n"


def _licences() -> str:
    packages = sorted({package for package, _ in VENDORED.values()})
    return "\n\n".join(
        f"{package} {_pinned_version(package)}\n\n{_read_package(package, 'LICENSE').strip()}"
        for package in packages
    ).replace("\r\n", "\n")


def _pinned_version(package: str) -> str:
    settings = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    version: str = settings["devDependencies"][package]
    return version


def _read_package(package: str, file: str) -> str:
    directory = NODE_MODULES / package
    try:
        installed = json.loads((directory / "package.json").read_text(encoding="utf-8"))
        text = (directory / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConsoleError(
            f"The npm package {package} is not installed. `make run` and `make test` install it."
        ) from None
    if installed["version"] != _pinned_version(package):
        raise ConsoleError(
            f"node_modules has {package} {installed['version']}, and package.json pins "
            f"{_pinned_version(package)}. `make run` and `make test` install it."
        )
    return text
