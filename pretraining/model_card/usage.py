"""Code that a reader of a card copies, by the class of `transformers` that loads the model; FOLDER is the model's."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """How models of one architecture are used."""

    pipeline_tag: str
    """As Hugging Face calls the task."""
    code: str


_FILL_MASK = """\
from transformers import BertForPreTraining, pipeline

fill = pipeline("fill-mask", model="FOLDER")
answers = fill("Paris is the [MASK] of France.")

both_heads = BertForPreTraining.from_pretrained("FOLDER")  # next sentences too
"""

_TEXTS = """\
from transformers import pipeline

classify = pipeline("text-classification", model="FOLDER", top_k=None, truncation=True)
answers = classify({"text": "He ran."})
answers_to_pairs = classify({"text": "He ran.", "text_pair": "She ran."})
"""

_WORDS = """\
from transformers import pipeline

# One entry a piece; a word's answer is that of its first piece, which alone was trained.
tag = pipeline("token-classification", model="FOLDER", ignore_labels=[])
answers = tag("in Paris")
"""

_SPANS = """\
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = AutoModelForQuestionAnswering.from_pretrained("FOLDER").eval()
question, context = "who ran?", "the dog ran."
inputs = tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True)
offsets = inputs.pop("offset_mapping")[0]
with torch.no_grad():
    output = model(**inputs)
in_context = torch.tensor([part == 1 for part in inputs.sequence_ids(0)])
scores = output.start_logits[0][:, None] + output.end_logits[0][None, :]
scores = scores.masked_fill(~(in_context[:, None] & in_context[None, :]).triu(), -torch.inf)
start, end = divmod(int(scores.argmax()), len(scores))
answer = context[offsets[start, 0] : offsets[end, 1]]
"""

_CHOICES = """\
import torch
from transformers import AutoModelForMultipleChoice, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = AutoModelForMultipleChoice.from_pretrained("FOLDER").eval()
context, endings = "she sat.", ["a", "b", "c", "d"]
inputs = tokenizer([context] * len(endings), endings, padding=True, return_tensors="pt")
with torch.no_grad():
    logits = model(**{name: tensor[None] for name, tensor in inputs.items()}).logits[0]
probabilities = logits.softmax(-1)
"""

USAGES = {
    "BertForPreTraining": Usage("fill-mask", _FILL_MASK),
    "BertForSequenceClassification": Usage("text-classification", _TEXTS),
    "BertForTokenClassification": Usage("token-classification", _WORDS),
    "BertForQuestionAnswering": Usage("question-answering", _SPANS),
    "BertForMultipleChoice": Usage("multiple-choice", _CHOICES),
}
