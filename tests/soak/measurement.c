#define _GNU_SOURCE /* mallinfo2 */
#include "measurement.h"

#include "failure.h"

#include <libsds.h>

#include <dirent.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const measure_names[MEASURES] = {"resident_bytes", "go_heap_bytes", "c_heap_bytes", "threads",
                                             "descriptors"};

static void read_status(struct sample *sample)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long number;

    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "VmRSS: %ld", &number) == 1)
            sample->values[RESIDENT] = (double)number * 1024;
        if (sscanf(line, "Threads: %ld", &number) == 1)
            sample->values[THREAD_COUNT] = (double)number;
    }
    if (status == NULL)
        failure("/proc/self/status cannot be read");
    else
        fclose(status);
}

static void count_descriptors(struct sample *sample)
{
    DIR *descriptors = opendir("/proc/self/fd");

    while (descriptors != NULL && readdir(descriptors) != NULL)
        sample->values[DESCRIPTORS]++;
    if (descriptors != NULL)
        closedir(descriptors);
    sample->values[DESCRIPTORS] -= 3; /* ".", ".." and the folder itself */
}

static double go_heap(void *ctx)
{
    static const char name[] = "\"sds_runtime_heap_bytes\"", value[] = "\"value\":";
    char *json = NULL, *error = NULL, *at;
    double bytes = 0;

    if (SdsStats(ctx, &json, &error) != SDS_OK || (at = strstr(json, name)) == NULL || (at = strstr(at, value)) == NULL)
        failure("SdsStats does not tell of the heap: %s", error != NULL ? error : "");
    else
        bytes = strtod(at + sizeof value - 1, NULL);
    SdsFree(json);
    SdsFree(error);
    return bytes;
}

struct sample take_sample(void *ctx, double seconds)
{
    struct sample sample = {seconds, 0, {0}};

    read_status(&sample);
    count_descriptors(&sample);
    if (ctx != NULL)
        sample.values[GO_HEAP] = go_heap(ctx);
    sample.values[C_HEAP] = (double)mallinfo2().uordblks;
    return sample;
}

static double mean(const struct sample *samples, size_t count, enum measure measure)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < count; i++)
        sum += measure == MEASURES ? samples[i].seconds : samples[i].values[measure];
    return sum / (double)count;
}

enum { MOST_STRETCHES = 30 };

/* without takes from values what follows them in a straight line, and their mean. */
static void without(double *values, const double *others, size_t n)
{
    double mean_value = 0, mean_other = 0, product = 0, square = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        mean_value += values[i] / (double)n;
        mean_other += others[i] / (double)n;
    }
    for (i = 0; i < n; i++) {
        product += (others[i] - mean_other) * (values[i] - mean_value);
        square += (others[i] - mean_other) * (others[i] - mean_other);
    }
    for (i = 0; i < n; i++)
        values[i] -= mean_value + (square > 0 ? product / square * (others[i] - mean_other) : 0);
}

struct trend trend_of(const struct sample *samples, size_t count, enum measure measure)
{
    struct trend trend = {0};
    double hours[MOST_STRETCHES], values[MOST_STRETCHES], pace[MOST_STRETCHES], sxx = 0, sxy = 0, rest = 0;
    size_t n = MOST_STRETCHES, tenth = count / 10 + 1, i;

    if (count == 0)
        return trend;
    trend.first = mean(samples, tenth, measure);
    trend.last = mean(samples + count - tenth, tenth, measure);
    trend.least = trend.most = samples[0].values[measure];
    for (i = 0; i < count; i++) {
        trend.least = fmin(trend.least, samples[i].values[measure]);
        trend.most = fmax(trend.most, samples[i].values[measure]);
    }
    if (count < 2 * MOST_STRETCHES)
        return trend;
    for (i = 0; i < n; i++) {
        size_t from = i * count / n, to = (i + 1) * count / n;

        hours[i] = mean(samples + from, to - from, MEASURES) / 3600;
        values[i] = mean(samples + from, to - from, measure);
        pace[i] = (samples[to - 1].work - samples[from].work) / (samples[to - 1].seconds - samples[from].seconds);
    }
    without(hours, pace, n);
    without(values, pace, n);
    for (i = 0; i < n; i++) {
        sxx += hours[i] * hours[i];
        sxy += hours[i] * values[i];
    }
    trend.slope = sxy / sxx;
    for (i = 0; i < n; i++) {
        double off = values[i] - trend.slope * hours[i];

        rest += off * off;
    }
    trend.error = sqrt(rest / (double)(n - 3) / sxx);
    return trend;
}
