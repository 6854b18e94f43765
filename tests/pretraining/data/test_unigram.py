"""The loss of predicting by frequency alone, by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from preprocessing.examples.arrays import Examples
from pretraining.data import unigram as module
from pretraining.data.unigram import unigram
