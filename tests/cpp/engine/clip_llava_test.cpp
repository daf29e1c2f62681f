#include "engine/clip_llava.h"

#include <doctest/doctest.h>
#include <ggml-cpp.h>

#include "core/error.h"

using namespace hired;

TEST_CASE("an output that a graph does not have is named") {
    const ggml_context_ptr ctx(
        ggml_init({.mem_size = ggml_graph_overhead(), .mem_buffer = nullptr, .no_alloc = true}));
    REQUIRE(ctx);
    ggml_cgraph* graph = ggml_new_graph(ctx.get());
    ClipRequest request;
    CHECK_THROWS_WITH_AS(read_outputs(graph, request), "[vision] the graph has no tensor 'hired-projected'",
                         NativeError);
    request.want_rows = false;
    CHECK_THROWS_WITH_AS(read_outputs(graph, request), "[vision] the graph has no tensor 'hired-hidden'",
                         NativeError);
    request.attention_layers = {3};
    CHECK_THROWS_WITH_AS(read_outputs(graph, request), "[vision] the graph has no tensor 'hired-attention-3'",
                         NativeError);
}
