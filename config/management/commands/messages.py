"""Updates and compiles the translations below `locale/`; Babel does it without GNU gettext."""

import re
from pathlib import Path

import django
from babel.messages import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand

from config.field_names import message_ids

OUR_PACKAGES = ["config", "accounts", "patients", "appointments", "consultations"]
LIBRARIES = ["unfold", "simple_history"]  # their own translations are missing or incomplete

KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
}
TRANSLATE = re.compile(r"""\{%\s*trans(?:late)?\s+("[^"]*"|'[^']*')""")
UNDERSCORE = re.compile(r"""\b_\(("[^"]*"|'[^']*')\)""")
BLOCK = re.compile(
    r"\{%\s*blocktrans(?:late)?\b(?P<options>[^%]*)%\}(?P<text>.*?)"
    r"\{%\s*endblocktrans(?:late)?\s*%\}",
    re.DOTALL,
)
PLURAL = re.compile(r"\{%\s*plural\s*%\}")
VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class Command(BaseCommand):
    help = "Write new strings into locale/*/LC_MESSAGES/django.po and compile each to django.mo."

    def handle(self, *args, **options):
        template = extract_catalog()
        for path in po_files():
            catalog = load_catalog(path)
            template.creation_date = catalog.creation_date  # else each run changes the file
            catalog.update(template, no_fuzzy_matching=True)
            catalog.obsolete.clear()
            with path.open("wb") as file:
                write_po(file, catalog, width=100, sort_output=True, no_location=True)
            with path.with_suffix(".mo").open("wb") as file:
                write_mo(file, catalog)
            missing = len(untranslated(catalog))
            self.stdout.write(
                f"{catalog.locale_identifier}: {len(catalog)} strings, "
                f"{missing} without a translation"
            )


def po_files():
    return sorted((settings.BASE_DIR / "locale").glob("*/LC_MESSAGES/django.po"))


def load_catalog(path):
    """Read a .po file; the language is the name of its folder."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parents[1].name)


def untranslated(catalog):
    """Return the message ids that have no translation or only a fuzzy one."""
    return [
        message.id
        for message in catalog
        if message.id and (message.fuzzy or not all(_forms(message.string)))
    ]


def _forms(strings):
    return strings if isinstance(strings, tuple) else (strings,)


def extract_catalog():
    """Return the strings of the product, and those that LIBRARIES do not translate."""
    catalog = Catalog()
    for path in our_files():
        for message, context in extract_messages(path):
            catalog.add(message, context=context)
    for message in message_ids(_our_models()):
        catalog.add(message)
    translated = _translated_by_libraries()
    for path in _library_files():
        for message, context in extract_messages(path):
            if message not in translated:
                catalog.add(message, context=context)
    return catalog


def our_files():
    """Return the modules and templates of the product, without its tests."""
    return [
        path
        for package in OUR_PACKAGES
        for suffix in ("py", "html")
        for path in sorted((settings.BASE_DIR / package).rglob(f"*.{suffix}"))
        if not {"tests", "migrations"} & set(path.parts)
    ]


def _our_models():
    configs = [config for config in apps.get_app_configs() if config.name in OUR_PACKAGES]
    return [model for config in configs for model in config.get_models()]


def _library_files():
    """Return the files of each installed part of LIBRARIES."""
    for config in apps.get_app_configs():
        if config.name.split(".")[0] in LIBRARIES:
            for suffix in ("py", "html"):
                for path in sorted(Path(config.path).rglob(f"*.{suffix}")):
                    if config.name != "unfold" or "contrib" not in path.parts:
                        yield path


def _translated_by_libraries():
    """Return the message ids that Django and the other libraries translate to each language."""
    folders = [Path(django.__file__).parent / "conf"]
    folders += [Path(config.path) for config in apps.get_app_configs()]
    known = []
    for po_file in po_files():
        translated = set()
        for folder in folders:
            path = folder / "locale" / po_file.parents[1].name / "LC_MESSAGES/django.mo"
            if path.exists() and folder.parent != settings.BASE_DIR:
                with path.open("rb") as file:
                    translated |= {_key(message.id) for message in read_mo(file)}
        known.append(translated)
    return set.intersection(*known) if known else set()


def _key(message_id):
    """Return the id as Babel's extraction gives it; read from a file, a plural's is a list."""
    return tuple(message_id) if isinstance(message_id, list) else message_id


def extract_messages(path):
    """Yield (id, context) of the messages of a module or template; a plural's id is a pair."""
    method = extract_template if path.suffix == ".html" else "python"
    for _, message, _, context in extract_from_file(method, path, keywords=KEYWORDS):
        yield message, context


def extract_template(fileobj, keywords, comment_tags, options):
    """Extract the strings of a Django template, in the form of a Babel extraction method."""
    source = fileobj.read().decode()
    for pattern in (TRANSLATE, UNDERSCORE):
        for match in pattern.finditer(source):
            yield _line(source, match), "gettext", match[1][1:-1], []
    for match in BLOCK.finditer(source):
        trimmed = "trimmed" in match["options"].split()
        forms = tuple(_message_id(text, trimmed) for text in PLURAL.split(match["text"]))
        keyword = "gettext" if len(forms) == 1 else "ngettext"
        yield _line(source, match), keyword, forms if len(forms) > 1 else forms[0], []


def _line(source, match):
    return source.count("\n", 0, match.start()) + 1


def _message_id(text, trimmed):
    """Return what Django looks up for the text of a `blocktranslate` tag."""
    if trimmed:
        text = " ".join(line.strip() for line in text.strip().splitlines())
    return VARIABLE.sub(r"%(\1)s", text.replace("%", "%%"))
