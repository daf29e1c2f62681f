"""A prompt on llama.cpp's context, and nothing evaluated twice."""
