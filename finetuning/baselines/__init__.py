"""What a pretrained model has to beat: words counted, and a linear model.

In: a `RunSpec` whose model is the bag of words. Out: a run's folder as fine-tuning writes it, so that reports show both
beside each other. `bag_of_words` is the story; a kind of task has a `learner.Learner` in `registry`: `texts`,
`endings` and `windows` are linear (`linear`: `features` in hashed columns, `models` of scikit-learn, their `strength`
chosen on held-out training rows), `overlap` finds parts of a text by shared words. Open first: `bag_of_words.py`, then
`texts.py`.
"""

__all__ = ["bag_of_words"]
