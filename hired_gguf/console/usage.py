"""What a command says where it is used wrongly."""


class UsageError(Exception):
    """The command line asks for something that cannot be."""
