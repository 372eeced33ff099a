/*
 * measurement.h: what the process holds, over time, and whether it grows.
 */
#ifndef MEASUREMENT_H
#define MEASUREMENT_H

#include <stddef.h>

enum measure { RESIDENT, GO_HEAP, C_HEAP, THREAD_COUNT, DESCRIPTORS, MEASURES };

extern const char *const measure_names[MEASURES];

struct sample {
    double seconds; /* since the beginning */
    double work;    /* done since then */
    double values[MEASURES];
};

/* take_sample measures the process; the Go heap comes from the SdsStats of a context. */
struct sample take_sample(void *ctx, double seconds);

/* A straight line through a measure. */
struct trend {
    double first, last; /* means of the first and the last tenth */
    double least, most;
    double slope; /* per hour */
    double error; /* the standard error of the slope */
};

/*
 * trend_of fits a line to the means of at most 30 stretches of the samples: samples that follow each other closely
 * are alike, above all those of a collected heap, and would make the error look smaller than it is. What a measure owes
 * to how much work is done at the time, which changes with what else the machine does, is not counted as growth.
 */
struct trend trend_of(const struct sample *samples, size_t count, enum measure measure);

#endif
