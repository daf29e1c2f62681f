#include "engine/clip_rows.h"

#include <utility>

#include "engine/backend.h"

namespace hired {
namespace {

constexpr const char* kHidden = "hired-hidden";
constexpr const char* kKept = "hired-kept";
constexpr const char* kRows = "hired-rows";

using Rows = std::vector<std::vector<std::int32_t>>;

// Rows of `hidden`, which has CLS before a partition's tokens. A lone row has a twin: ggml multiplies one row
// in another order than several, and no row's numbers may depend on what else is kept.
Rows rows_of(const std::vector<std::vector<int>>& kept, int tokens) {
    Rows rows(kept.size());
    for (std::size_t p = 0; p < kept.size(); ++p) {
        for (const int token : kept[p]) rows[p].push_back(static_cast<int>(p) * (tokens + 1) + 1 + token);
        if (rows[p].size() == 1) rows[p].push_back(rows[p][0]);
    }
    return rows;
}

std::vector<std::int32_t> flat(const Rows& rows) {
    std::vector<std::int32_t> all;
    for (const auto& partition : rows) all.insert(all.end(), partition.begin(), partition.end());
    return all;
}

void set_threads(ggml_backend_t cpu, int n_threads) {
    const auto set =
        reinterpret_cast<ggml_backend_set_n_threads_t>(backend_function(cpu, "ggml_backend_set_n_threads"));
    if (set) set(cpu, n_threads);
}

}  // namespace

RowsGraph::RowsGraph(clip_ctx* ctx, const clip_image_f32& img, const RowsRequest& request)
    : LlavaParts(ctx, img, request.layers, request.kernels), rows_(rows_of(request.kept, n_patches)) {}

ggml_cgraph* RowsGraph::build() {
    const int il = layers_ - 1, n_pos = n_patches + 1;
    const clip_layer& layer = model.layers[il];
    const int64_t n_kept = std::ssize(flat(rows_));
    ggml_tensor* hidden = ggml_new_tensor_2d(ctx0, GGML_TYPE_F32, n_embd, n_pos * std::ssize(rows_));
    ggml_tensor* kept = ggml_new_tensor_1d(ctx0, GGML_TYPE_I32, n_kept);
    for (const auto& [tensor, name] : {std::pair{hidden, kHidden}, {kept, kKept}}) {
        ggml_set_input(ggml_set_name(tensor, name));
    }
    ggml_tensor* inp = ggml_get_rows(ctx0, hidden, kept);
    ggml_tensor* all = norm(hidden, il);
    ggml_tensor* q = by_head(linear(layer.q_w, layer.q_b, norm(inp, il)), n_kept);
    ggml_tensor* k = by_head(linear(layer.k_w, layer.k_b, all), n_pos);
    ggml_tensor* v = by_head(linear(layer.v_w, layer.v_b, all), n_pos);
    std::vector<int64_t> counts;
    for (const auto& rows : rows_) counts.push_back(std::ssize(rows));
    output(project(after_attention(attend_plainly(q, k, v, counts), inp, il)), kRows);
    return gf;
}

void RowsGraph::set_inputs(const RowsRequest& request) const {
    const auto kept = flat(rows_);
    ggml_backend_tensor_set(ggml_graph_get_tensor(gf, kHidden), request.hidden.data(), 0,
                            request.hidden.size_bytes());
    ggml_backend_tensor_set(ggml_graph_get_tensor(gf, kKept), kept.data(), 0,
                            kept.size() * sizeof(std::int32_t));
}

std::vector<float> RowsGraph::rows(const RowsRequest& request) const {
    const ggml_tensor* all = ggml_graph_get_tensor(gf, kRows);
    std::vector<float> rows;
    size_t at = 0;
    for (std::size_t p = 0; p < rows_.size(); ++p) {
        const size_t wanted = request.kept[p].size() * all->ne[0];
        rows.resize(rows.size() + wanted);
        ggml_backend_tensor_get(all, rows.data() + rows.size() - wanted, at, wanted * sizeof(float));
        at += rows_[p].size() * all->nb[1];
    }
    return rows;
}

bool compute_rows(clip_ctx* ctx, RowsRequest& request) {
    const int side = clip_model_of(ctx).hparams.image_size;
    clip_image_f32 img;  // its size tells the graph the number of tokens
    img.set_size({.width = side, .height = side}, true, false);
    RowsGraph graph(ctx, img, request);
    ggml_cgraph* gf = graph.build();
    ggml_backend_sched_t sched = sched_of(ctx);
    ggml_backend_sched_reset(sched);
    if (!ggml_backend_sched_alloc_graph(sched, gf)) return false;
    graph.set_inputs(request);
    set_threads(cpu_backend_of(ctx), request.n_threads);
    if (ggml_backend_sched_graph_compute(sched, gf) != GGML_STATUS_SUCCESS) return false;
    request.rows = graph.rows(request);
    return true;
}

}  // namespace hired
