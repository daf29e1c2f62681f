// What clip.cpp logs, kept apart by encoder and by thread.
#pragma once

#include <string>

namespace hired {

struct ClipLog {
    bool verbose = false;    // all of it to stderr too
    std::string last_error;  // without the newline at its end
};

/// While it lives, what clip logs on this thread goes to `log`, which starts without an error. clip logs on
/// the thread that calls it, so encoders in two threads do not see each other's.
class ClipLogScope {
  public:
    explicit ClipLogScope(ClipLog& log);
    ~ClipLogScope();
    ClipLogScope(const ClipLogScope&) = delete;
    ClipLogScope& operator=(const ClipLogScope&) = delete;

  private:
    ClipLog* outer_;
};

}  // namespace hired
