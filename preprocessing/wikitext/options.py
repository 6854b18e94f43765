"""What of an article's wikitext is kept."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from preprocessing.wikitext.template_map import parsed_map


class WikitextOptions(BaseModel):
    """Choices of the wikitext reader. The defaults are those of BERT: text passages, no lists, tables or headings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_lists: bool = Field(
        False,
        description="keep items of lists, which BERT left out (Devlin et al. 2019, section 3.1)",
    )
    keep_disambiguation: bool = Field(False, description="keep disambiguation pages")
    accept_truncated: bool = Field(False, description="accept a dump that ends early: keep its complete pages")
    page_limit_bytes: int = Field(
        64 << 20, gt=0, description="a page whose XML has more bytes than this is rejected, never held in memory"
    )
    templates: tuple[str, ...] = Field(
        (), description="what templates show that no table knows, as 'name = renderer'; more of them in --template-map"
    )

    @field_validator("templates")
    @classmethod
    def _check_templates(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name} = {expression}" for name, expression in sorted(dict(parsed_map(entries)).items()))
