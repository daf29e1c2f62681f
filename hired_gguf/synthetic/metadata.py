"""The metadata keys of a LLaVA pair's GGUF files."""

from __future__ import annotations

from gguf import GGML_QUANT_VERSION, GGUFWriter, LlamaFileType

from .shapes import Shape, TextShape
from .vocabulary import BOS_ID, EOS_ID, UNKNOWN_ID, Vocabulary

FILE_TYPES = {
    "f32": LlamaFileType.ALL_F32,
    "f16": LlamaFileType.MOSTLY_F16,
    "q8_0": LlamaFileType.MOSTLY_Q8_0,
    "q4_0": LlamaFileType.MOSTLY_Q4_0,
}


def add_general(writer: GGUFWriter, name: str, quant: str) -> None:
    """Say what the file is: nothing that anyone trained."""
    writer.add_name(f"{name}, random weights")
    writer.add_description("Random weights for tests and benchmarks. Its answers mean nothing.")
    writer.add_file_type(FILE_TYPES[quant])
    writer.add_quantization_version(GGML_QUANT_VERSION)


def add_text(writer: GGUFWriter, shape: TextShape, vocabulary: Vocabulary, chat_template: str | None) -> None:
    """Add the Llama model's sizes and its tokenizer."""
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(shape.rms_eps)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_scores(vocabulary.scores)
    writer.add_token_types(vocabulary.types)
    writer.add_bos_token_id(BOS_ID)
    writer.add_eos_token_id(EOS_ID)
    writer.add_unk_token_id(UNKNOWN_ID)
    writer.add_add_bos_token(True)
    if chat_template:
        writer.add_chat_template(chat_template)


def add_mmproj(writer: GGUFWriter, shape: Shape) -> None:
    """Add the CLIP tower's sizes; a LLaVA-1.5 file knows nothing of tiles."""
    vision = shape.vision
    writer.add_bool("clip.has_text_encoder", False)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.has_llava_projector", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_uint32("clip.vision.image_size", vision.image_size)
    writer.add_uint32("clip.vision.patch_size", vision.patch_size)
    writer.add_uint32("clip.vision.embedding_length", vision.width)
    writer.add_uint32("clip.vision.feed_forward_length", vision.feed_forward)
    writer.add_uint32("clip.vision.projection_dim", vision.projection_dim)
    writer.add_uint32("clip.vision.attention.head_count", vision.heads)
    writer.add_uint32("clip.vision.block_count", vision.layers)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", vision.eps)
    if shape.anyres:
        writer.add_array("clip.vision.image_grid_pinpoints", shape.pinpoints)
        writer.add_string("clip.vision.mm_patch_merge_type", "spatial_unpad")
        writer.add_string("clip.vision.image_aspect_ratio", "anyres")
    writer.add_array("clip.vision.image_mean", [0.48145466, 0.4578275, 0.40821073])
    writer.add_array("clip.vision.image_std", [0.26862954, 0.26130258, 0.27577711])
    writer.add_bool("clip.use_gelu", False)
