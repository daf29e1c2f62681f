"""Chat templates that a synthetic text model can carry as its own, `tokenizer.chat_template`.

They differ on purpose from those of ``hired_gguf/prompt/templates.py``, which are what published models were
trained with, system prompt included. These are as short as a file's own can be, so that a prompt shows which
of the two made it. The built-in model was trained with ``vicuna`` as it is here.
"""

CHAT_TEMPLATES = {
    "vicuna": (
        "{{ bos_token }}{% for m in messages %}"
        "{% if m.role == 'user' %}USER: {{ m.content }} "
        "{% elif m.role == 'assistant' %}ASSISTANT: {{ m.content }}{{ eos_token }}"
        "{% else %}{{ m.content }} {% endif %}"
        "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    ),
    "mistral": (
        "{{ bos_token }}{% for m in messages %}"
        "{% if m.role == 'assistant' %} {{ m.content }}{{ eos_token }}"
        "{% elif m.role == 'user' %}[INST] {{ m.content }} [/INST]"
        "{% else %}{{ m.content }}\n{% endif %}"
        "{% endfor %}"
    ),
    "chatml": (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
}
