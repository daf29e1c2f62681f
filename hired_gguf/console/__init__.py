"""What commands share: options and where they come from, the terminal, loading."""
