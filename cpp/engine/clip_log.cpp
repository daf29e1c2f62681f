#include "engine/clip_log.h"

#include <clip-impl.h>

#include <cstdio>
#include <string_view>

namespace hired {
namespace {

thread_local ClipLog* listener = nullptr;

std::string_view without_newlines(std::string_view text) {
    return text.substr(0, text.find_last_not_of('\n') + 1);
}

void receive(ggml_log_level level, const char* text, void*) {
    if (listener && level == GGML_LOG_LEVEL_ERROR) listener->last_error = without_newlines(text);
    if (!listener || listener->verbose) std::fputs(text, stderr);
}

// clip's logger is one for the process: it is set once, before the first call of clip, and never again.
void install() {
    static const bool installed = [] {
        g_logger_state = {.log_callback = receive, .log_callback_user_data = nullptr};
        return true;
    }();
    static_cast<void>(installed);
}

}  // namespace

ClipLogScope::ClipLogScope(ClipLog& log) : outer_(listener) {
    install();
    log.last_error.clear();
    listener = &log;
}

ClipLogScope::~ClipLogScope() {
    listener = outer_;
}

}  // namespace hired
