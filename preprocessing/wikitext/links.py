"""What a link shows: its label, its target, or nothing (files, categories, other languages)."""

from dataclasses import dataclass

from preprocessing.wikitext.language_codes import LANGUAGE_CODES
from preprocessing.wikitext.names import phrases

FILE_NAMESPACE, CATEGORY_NAMESPACE = 6, 14

# The canonical English names work in every edition; aliases are not part of a dump's <siteinfo>.
_ALWAYS_HIDDEN = frozenset(
    phrases(
        """file, image, category, bild, datei, kategorie, fichier, catégorie, archivo, imagen, categoría, immagine,
        categoria, ficheiro, imagem, arquivo, bestand, afbeelding, categorie, plik, grafika, файл, изображение,
        категория, зображення, категорія, fil, kategori, tiedosto, kuva, luokka, soubor, kép, kategória, dosya, αρχείο,
        εικόνα, κατηγορία, קובץ, תמונה, קטגוריה, ملف, صورة, تصنيف, پرونده, رده, चित्र, श्रेणी, ไฟล์, ภาพ, หมวดหมู่,
        tập tin, thể loại, 파일, 그림, 분류, ファイル, 画像, カテゴリ, 文件, 图像, 圖像, 分类, 分類"""
    )
)


@dataclass(frozen=True, slots=True)
class Site:
    """Names of a wiki's namespaces in lower case, and of those among them whose links show nothing."""

    hidden_namespaces: frozenset[str] = _ALWAYS_HIDDEN
    namespaces: frozenset[str] = _ALWAYS_HIDDEN

    @classmethod
    def from_namespaces(cls, names: dict[int, str]) -> "Site":
        """From the namespaces of a dump's `<siteinfo>`, number to local name."""
        local = {names[key].lower() for key in (FILE_NAMESPACE, CATEGORY_NAMESPACE) if names.get(key)}
        named = {name.lower() for name in names.values() if name}
        return cls(_ALWAYS_HIDDEN | local, _ALWAYS_HIDDEN | named)


def is_hidden(target: str, site: Site) -> bool:
    """Whether a link to `target` shows nothing where it stands. A leading colon makes any link visible."""
    prefix, colon, _ = target.partition(":")
    if not colon:
        return False
    name = prefix.strip().lower().replace("_", " ")
    return name in site.hidden_namespaces or name in LANGUAGE_CODES


def shown_text(target: str, label: str | None, site: Site) -> str:
    """The text of a link without nested markup; "" when it shows nothing."""
    if ":" in target and is_hidden(target, site):
        return ""
    if label:
        return label
    target = target.strip()
    if label is None:
        return target.removeprefix(":").removeprefix("#")
    return _pipe_trick(target)


def _pipe_trick(target: str) -> str:
    # [[Help:Pipe (computing)|]] shows "Pipe"; [[Boston, Massachusetts|]] shows "Boston".
    name = target.removeprefix(":").rpartition(":")[2]
    bracket = name.rfind("(")
    if bracket > 0 and name.endswith(")"):
        return name[:bracket].strip()
    return name.partition(", ")[0].strip()
