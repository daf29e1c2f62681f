"""The subcommands of ``hired-gguf``, one a file."""
