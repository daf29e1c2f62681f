"""Drawings and numbers of a selection: what allotted the budget, what chose the tokens, what stays."""
