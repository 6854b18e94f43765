"""The model that a run starts from: random, a previous run, or any Hugging Face BERT."""

from collections.abc import Sequence
from pathlib import Path

from preprocessing.errors import PreprocessingError
from preprocessing.shards import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.huggingface import import_bert
from pretraining.model.neighbour_start import start_at_neighbours


def initial_model(recipe: Recipe, sets: Sequence[ShardSet]) -> BertForPreTraining:
    """Builds the model; all ranks build the same one (torch is seeded alike by now)."""
    try:
        tokenizer = Tokenizer.load(sets[0].tokenizer_path)
    except PreprocessingError as error:
        raise PretrainingError(str(error)) from error
    config = recipe.model.build(sets[0].manifest.vocabulary_size, tokenizer.pad_id)
    if recipe.init.from_ is None:
        model = BertForPreTraining(config)
        if recipe.init.scheme == "neighbours":
            start_at_neighbours(model)
    else:
        model = _imported(Path(recipe.init.from_), recipe, config, tokenizer)
    model.bert.checkpoint_activations = recipe.model.activation_checkpointing
    return model


def export_folder(folder: Path) -> Path:
    """The Hugging Face folder that a path means: itself, or the ``export`` of a run."""
    return folder / "export" if (folder / "export" / "config.json").is_file() else folder


def _imported(source: Path, recipe: Recipe, wanted: BertConfig, tokenizer: Tokenizer) -> BertForPreTraining:
    folder = export_folder(source)
    if not (folder / "config.json").is_file():
        raise PretrainingError(
            f"init.from: {source} is neither a finished run (it has no export/) nor a Hugging Face folder "
            "(it has no config.json)"
        )
    found = BertConfig.load(folder)
    architecture = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "type_vocab_size")
    chosen = recipe.model.model_fields_set
    for name in architecture if chosen & {"size", *architecture} else ():
        if getattr(found, name) != getattr(wanted, name):
            raise PretrainingError(
                f"init.from: {folder} has {name} {getattr(found, name)} and the recipe's model "
                f"{getattr(wanted, name)}; use the recipe of that model"
            )
    if found.vocab_size < tokenizer.vocabulary_size:
        raise PretrainingError(
            f"init.from: {folder} has a vocabulary of {found.vocab_size} tokens and the shards one of "
            f"{tokenizer.vocabulary_size}; build the shards with --vocab {folder}"
        )
    _check_tokenizer(folder, tokenizer)
    if recipe.data.sequence_length > found.max_position_embeddings:
        raise PretrainingError(
            f"data.sequence_length {recipe.data.sequence_length} is longer than the "
            f"{found.max_position_embeddings} positions of {folder}; use shorter shards"
        )
    # Dropout is a setting of the run, not of the weights.
    model = import_bert(folder, new_heads=recipe.init.new_heads)
    changed = {
        name: value
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob")
        if (value := getattr(recipe.model, name)) is not None
    }
    if changed:
        rebuilt = BertForPreTraining(found.model_copy(update=changed))
        rebuilt.load_state_dict(model.state_dict())
        return rebuilt
    return model


def _check_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Where the weights come with a tokenizer, it must be the shards' own."""
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        return
    try:
        theirs = Tokenizer.load(folder)
    except PreprocessingError as error:
        raise PretrainingError(str(error)) from error
    if theirs.tokens != tokenizer.tokens:
        raise PretrainingError(
            f"init.from: {folder} was trained with another vocabulary than the shards; "
            f"build the shards with --vocab {folder}"
        )
