"""Parts of names that mean something, wherever they are read.

They stand apart from the settings: code that imports those would count as changed with each new setting."""

ATTENTION = "attention-"
"""How the names of networks with attention begin."""

FOLD = "-fold-"
"""In the name of a data set, before the number of its part."""
