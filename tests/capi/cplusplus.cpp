#include "cplusplus.h"

#include <stdexcept>

namespace {

struct object {
    void (*step)();
    ~object()
    {
        if (step != nullptr)
            step();
    }
} object;

} // namespace

void throw_exception(void) { throw std::runtime_error("thrown by the host"); }

int catches(void (*step)(void *argument), void *argument)
{
    try {
        step(argument);
    } catch (...) {
        return 1;
    }
    return 0;
}

void at_destruction(void (*step)(void)) { object.step = step; }
