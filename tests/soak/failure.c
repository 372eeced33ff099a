#include "failure.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

enum { MOST_SAID = 20 };

static atomic_int failures;

void failure(const char *format, ...)
{
    char text[1000];
    va_list arguments;

    if (atomic_fetch_add(&failures, 1) >= MOST_SAID)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "soak: FAILURE: %s\n", text);
}

int failure_count(void) { return atomic_load(&failures); }
