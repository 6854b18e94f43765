"""One example on a terminal: segments and masks in colour."""

from rich.text import Text

from preprocessing.shards.example_text import ExampleText

SEGMENT_A, SEGMENT_B, SPECIAL = "cyan", "green", "dim"
AS_MASK, AS_RANDOM, AS_ORIGINAL = "bold white on red", "bold black on yellow", "bold white on blue"


def render(example: ExampleText, mask_token: str) -> Text:
    """The pieces in colour: a masked one stands as what the model sees, with the original behind an arrow."""
    originals = {mask.position: mask for mask in example.masks}
    text = Text()
    for position, piece in enumerate(example.shown):
        mask = originals.get(position)
        if mask is not None:
            kind = AS_MASK if mask.shown == mask_token else AS_ORIGINAL if mask.shown == mask.original else AS_RANDOM
            shown = mask.original if kind == AS_ORIGINAL else f"{mask.shown}→{mask.original}"
            text.append(shown, kind)
        elif position in (0, example.segment_b_start - 1, len(example.shown) - 1):
            text.append(piece, SPECIAL)
        else:
            text.append(piece, SEGMENT_A if position < example.segment_b_start else SEGMENT_B)
        text.append(" ")
    return text


def legend() -> Text:
    """What the colours mean."""
    return Text.assemble(
        ("segment A", SEGMENT_A), " ", ("segment B", SEGMENT_B), "  masked: ", ("as [MASK]", AS_MASK), " ",
        ("as another token", AS_RANDOM), " ", ("left as it is", AS_ORIGINAL),
    )  # fmt: skip
