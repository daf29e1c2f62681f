"""Messages to token ids: templates, tokens, answer formats, sampling."""
