// Bindings of cpp/engine: devices, the vision encoder, prefill of visual rows.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "core/error.h"
#include "engine/backend.h"
#include "engine/language.h"
#include "engine/token_rows.h"
#include "engine/vision.h"
#include "engine/weights_device.h"
#include "interrupt.h"
#include "kernels/kernels.h"
#include "register.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace hired {
namespace {

using Pixels = nb::ndarray<const float, nb::ndim<4>, nb::c_contig, nb::device::cpu>;
using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Hidden = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Ids = nb::ndarray<const int, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using FloatArray = nb::ndarray<nb::numpy, float, nb::c_contig>;

nb::list attention_of(const VisionModel& model, std::vector<std::vector<float>>&& layers,
                      std::size_t partitions) {
    const std::size_t tokens = model.tokens(), heads = model.heads();
    nb::list attention;
    for (auto& layer : layers) {
        attention.append(to_array<FloatArray>(std::move(layer), {partitions, heads, tokens + 1}));
    }
    return attention;
}

nb::tuple encode(VisionModel& model, Pixels pixels, const std::vector<int>& layers, bool features) {
    const std::size_t partitions = pixels.shape(0), tokens = model.tokens();
    const std::size_t width = model.width(), text_width = model.text_width();
    Encoded e = interruptible([&](const Interrupt& pressed) {
        return model.encode({pixels.data(), pixels.size()}, static_cast<int>(partitions), layers, features,
                            pressed);
    });
    nb::object rows = nb::none();
    if (features) rows = nb::cast(to_array<FloatArray>(std::move(e.features), {partitions, tokens, width}));
    return nb::make_tuple(attention_of(model, std::move(e.attention), partitions), rows,
                          to_array<FloatArray>(std::move(e.projected), {partitions, tokens, text_width}));
}

nb::tuple begin(VisionModel& model, Pixels pixels, const std::vector<int>& layers) {
    const std::size_t partitions = pixels.shape(0), rows = model.tokens() + 1, width = model.width();
    Begun b = interruptible([&](const Interrupt& pressed) {
        return model.begin({pixels.data(), pixels.size()}, static_cast<int>(partitions), layers, pressed);
    });
    return nb::make_tuple(attention_of(model, std::move(b.attention), partitions),
                          to_array<FloatArray>(std::move(b.hidden), {partitions, rows, width}));
}

FloatArray finish(VisionModel& model, Hidden hidden, Ids ids) {
    std::vector<float> rows = interruptible([&](const Interrupt& pressed) {
        return model.finish({hidden.data(), hidden.size()}, static_cast<int>(hidden.shape(0)),
                            {ids.data(), ids.size()}, pressed);
    });
    const std::size_t n = ids.size(), text_width = model.text_width();
    return to_array<FloatArray>(std::move(rows), {n, text_width});
}

FloatArray image_newline(const VisionModel& model) {
    std::vector<float> row = model.image_newline();
    const std::size_t n = row.size();
    return to_array<FloatArray>(std::move(row), {n});
}

FloatArray dequantize(const std::string& type, const Bytes& rows) {
    const std::size_t count = rows.shape(0);
    std::vector<float> numbers = dequantize_rows(type, {rows.data(), rows.size()}, rows.shape(1));
    const std::size_t width = count == 0 ? 0 : numbers.size() / count;
    return to_array<FloatArray>(std::move(numbers), {count, width});
}

void prefill_rows(std::uintptr_t context, Rows rows, int n_past, int n_batch, bool logits) {
    interruptible([&](const Interrupt& pressed) {
        eval_rows(reinterpret_cast<llama_context*>(context), {rows.data(), rows.size()},
                  static_cast<int>(rows.shape(1)), n_past, n_batch, logits, pressed);
    });
}

std::vector<std::string> quantized_type_names() {
    std::vector<std::string> names;
    for (const char* name : kQuantizedTypeNames) names.emplace_back(name);
    return names;
}

const Kernels& kernels_named(const std::string& name) {
    const Kernels* found = find_kernels(name);
    if (!found) throw InputError(text("[kernels] '", name, "' do not run here"));
    return *found;
}

}  // namespace

void register_engine(nb::module_& m) {
    nb::class_<Device>(m, "Device", "A compute device of the loaded llama.cpp libraries. Memory is in bytes.")
        .def_ro("name", &Device::name)
        .def_ro("description", &Device::description)
        .def_ro("gpu", &Device::gpu)
        .def_ro("memory_free", &Device::memory_free)
        .def_ro("memory_total", &Device::memory_total);
    m.def("list_devices", &list_devices, "The devices that llama-cpp-python was built for.");
    m.def("has_backend", &has_backend, "name"_a,
          "True if ggml has the backend: \"CUDA\", \"Vulkan\", \"Metal\".");

    m.def(
        "kernels_here",
        [] {
            std::vector<std::string> names;
            for (const Kernels* kernels : kernels_here()) names.emplace_back(kernels->name);
            return names;
        },
        "The names of hired-gguf's own CPU kernels that run here, the fastest first: \"avx512\", \"avxvnni\",\n"
        "\"avx2\".");

    m.def(
        "offer_kernels", [](const std::string& name) { offer_kernels(kernels_named(name)); }, "name"_a,
        "Until withdraw_kernels, models that are loaded in this process use the kernels of that name for their\n"
        "quantised matrices, and keep them. Calls are counted, and not thread-safe. Needs\n"
        "can_offer_kernels(). Raises InputError.");
    m.def("quantized_types", &quantized_type_names,
          "The ggml types that language models' matrices may have for the kernels to serve: \"Q4_K\", ...");
    m.def("can_offer_kernels", &can_offer_kernels,
          "True if this build of llama.cpp lets others multiply (extra buffer types of its CPU backend).");
    m.def(
        "withdraw_kernels", [](const std::string& name) { withdraw_kernels(kernels_named(name)); }, "name"_a);

    nb::class_<VisionModel>(m, "VisionModel", "The vision encoder of a mmproj file. Not thread-safe.")
        .def(
            "__init__",
            [](VisionModel* self, const std::string& path, const std::string& device, int n_threads,
               const std::string& flash_attention, const std::string& kernels, bool verbose, int layers) {
                new (self) VisionModel(path, {.device = device,
                                              .n_threads = n_threads,
                                              .flash_attention = flash_attention,
                                              .kernels = kernels,
                                              .layers = layers,
                                              .verbose = verbose});
            },
            "path"_a, "device"_a = "auto", "n_threads"_a = 0, "flash_attention"_a = "auto", "kernels"_a = "",
            "verbose"_a = false, "layers"_a = 0,
            "Loads a file that read_mmproj has checked, and runs so many layers of it (0: all, or up to\n"
            "clip.vision.feature_layer), on the CPU with the kernels of that name (none: with ggml's).\n"
            "Raises NativeError, InputError.",
            nb::call_guard<nb::gil_scoped_release>())
        .def_prop_ro("tile", &VisionModel::tile, "Pixels a side of a partition.")
        .def_prop_ro("tokens", &VisionModel::tokens, "Visual tokens of a partition, N.")
        .def_prop_ro("width", &VisionModel::width, "Width of the features.")
        .def_prop_ro("text_width", &VisionModel::text_width, "Width of the projected rows.")
        .def_prop_ro("heads", &VisionModel::heads)
        .def_prop_ro("layers", &VisionModel::layers, "Executed layers.")
        .def_prop_ro("device", &VisionModel::device)
        .def("image_newline", &image_newline, "float32 [text_width], or [0] if the file has none.")
        .def("encode", &encode, "pixels"_a, "attention_layers"_a, "features"_a = false,
             nb::sig("def encode(self, pixels: numpy.typing.NDArray[numpy.float32], "
                     "attention_layers: collections.abc.Sequence[int], features: bool = False) -> "
                     "tuple[list[numpy.typing.NDArray[numpy.float32]], "
                     "numpy.typing.NDArray[numpy.float32] | None, numpy.typing.NDArray[numpy.float32]]"),
             "pixels [P, 3, tile, tile] -> (attention per asked layer [P, heads, N + 1],\n"
             "features [P, N, width] or None, projected [P, N, text_width]), all float32.\n"
             "Raises InputError, NumericError, NativeError, KeyboardInterrupt.")
        .def_prop_ro("has_steps", &VisionModel::has_steps,
                     "Whether begin and finish are offered: not where features come from several layers.")
        .def("begin", &begin, "pixels"_a, "attention_layers"_a,
             nb::sig("def begin(self, pixels: numpy.typing.NDArray[numpy.float32], "
                     "attention_layers: collections.abc.Sequence[int]) -> "
                     "tuple[list[numpy.typing.NDArray[numpy.float32]], numpy.typing.NDArray[numpy.float32]]"),
             "As encode, up to the input of the last layer: (attention, hidden [P, N + 1, width]).")
        .def("finish", &finish, "hidden"_a, "ids"_a,
             nb::sig("def finish(self, hidden: numpy.typing.NDArray[numpy.float32], "
                     "ids: numpy.typing.NDArray[numpy.int32]) -> numpy.typing.NDArray[numpy.float32]"),
             "hidden [P, N + 1, width] of begin, ascending ids partition * N + token [n] -> those rows\n"
             "[n, text_width] of encode's projected. Raises as encode.");

    m.def("dequantize_rows", &dequantize, "type"_a, "rows"_a,
          "Rows of a ggml type, uint8 [n, bytes of a row], as float32 [n, width]. Raises InputError.");
    m.def(
        "prefill_rows", &prefill_rows, "context"_a, "rows"_a, "n_past"_a, "n_batch"_a, "logits"_a = false,
        "Evaluates rows [n, text_width] at positions n_past.. of sequence 0 of a llama_context\n"
        "(its address), which has no abort callback afterwards. The last row gets logits if asked for.\n"
        "Raises InputError, NumericError, NativeError, KeyboardInterrupt; then nothing of the rows is left.");
}

}  // namespace hired
