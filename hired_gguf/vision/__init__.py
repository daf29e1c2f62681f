"""A picture's encoding: encoder, pixels, cache."""
