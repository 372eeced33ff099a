/*
 * soak.c - the library in use for a long time: four participants in one process, one
 * for each way of keeping channels, 64 channels, 8 threads, a network that loses,
 * repeats and reorders, restarts and resets all the while. What must hold: memory,
 * threads and descriptors stay flat, and each message is delivered to everybody,
 * once, with its content.
 *
 *   soak [-s SEED] [-o SAMPLES.csv] MINUTES
 *
 * Progress goes to stderr, the result to stdout. The seed repeats what the threads
 * draw, but not how they interleave.
 */
#include "channel.h"
#include "failure.h"
#include "measurement.h"
#include "participant.h"
#include "traffic.h"

#include <libsds.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * Up to how much memory may grow in an hour, where growth is told from noise by twice its error. The contexts that
 * were closed account for up to 2 MiB: a quarter of a kilobyte for each, as the header says, and two a second are
 * closed. One lost block of 32 bytes for each delivery would be 16 MiB, at half a million deliveries.
 */
static const double most_growth = 16 * 1024 * 1024;

/* What C's heap may hold more when all has ended than before it began: the quarter of a kilobyte for each context
 * that was closed, as above, twice over, and what is made once.
 */
static const double kept_for_context = 512, kept_once = 256 * 1024;

/* The runtime begins threads as it comes to need them, up to a bound: an hour may see a few more. */
static const double most_new_threads = 8;

/* Memory is judged in runs from this length on; in shorter ones its noise is larger than any leak. */
static const double worth_judging = 300;

/* A tenth of the run goes by before anything counts, three minutes at most: pools, heaps and filters fill up. */
static const double longest_warm_up = 180;

enum { MOST_SAMPLES = 20000 };

static struct sample samples[MOST_SAMPLES];
static size_t sample_count;
static double began;
static int restarts, resets;

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void pause_ms(long milliseconds)
{
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

static void note_sample(FILE *csv)
{
    struct sample *sample = &samples[sample_count];
    int i;

    if (sample_count == MOST_SAMPLES)
        return;
    *sample = take_sample(participant_enter(0), seconds() - began);
    participant_leave(0);
    sample->work = (double)channels_totals().delivered;
    sample_count++;
    if (csv == NULL)
        return;
    fprintf(csv, "%.3f", sample->seconds);
    for (i = 0; i < MEASURES; i++)
        fprintf(csv, ",%.0f", sample->values[i]);
    fprintf(csv, ",%lld,%lld\n", traffic_operations(), channels_totals().delivered);
    fflush(csv);
}

static void show_progress(void)
{
    const struct sample *last = &samples[sample_count - 1];
    struct totals totals = channels_totals();

    fprintf(stderr,
            "soak: %6.0f s  %5.1f MiB resident, %5.1f MiB Go, %5.1f MiB C, %2.0f threads, %2.0f descriptors  "
            "%lld wrapped, %lld delivered, %d restarts, %d failures\n",
            last->seconds, last->values[RESIDENT] / (1 << 20), last->values[GO_HEAP] / (1 << 20),
            last->values[C_HEAP] / (1 << 20), last->values[THREAD_COUNT], last->values[DESCRIPTORS], totals.wrapped,
            totals.delivered, restarts, failure_count());
}

/*
 * disturb restarts one participant after the other. Those of whom nothing is kept have their turn every twentieth time
 * only, and so has the loss of all that is kept of one: what is forgotten comes again by repair.
 */
static void disturb(void)
{
    static int turn, next, forgetful;

    turn++;
    if (turn % 20 == 0) {
        participant_reset(turn / 20 % PARTICIPANTS);
        resets++;
        return;
    }
    if (turn % 20 == 10) {
        do
            forgetful = (forgetful + 1) % PARTICIPANTS;
        while (participant_keeps(forgetful));
        participant_restart(forgetful);
    } else {
        do
            next = (next + 1) % PARTICIPANTS;
        while (!participant_keeps(next));
        participant_restart(next);
    }
    restarts++;
}

static void run(double duration, FILE *csv)
{
    double interval = fmin(fmax(duration / 400, 0.1), 5), next_sample = 0, next_progress = 0, next_disturbance = 0, now;

    while ((now = seconds() - began) < duration) {
        participants_tick();
        if (now >= next_disturbance) {
            next_disturbance = now + 0.5;
            disturb();
        }
        if (now >= next_sample) {
            next_sample = now + interval;
            note_sample(csv);
        }
        if (now >= next_progress) {
            next_progress = now + 5;
            show_progress();
        }
        pause_ms(10);
    }
}

static int report(const char *name, int holds)
{
    printf("--- %s: soak/%s\n", holds ? "PASS" : "FAIL", name);
    return holds;
}

/* judge says what became of each measure, and whether that is what it has to be. */
static int judge(double duration)
{
    double warm_up = fmin(duration / 10, longest_warm_up), judged = duration - warm_up;
    size_t first = 0, count;
    struct trend trends[MEASURES];
    int memory = 1, i;

    while (first < sample_count && samples[first].seconds < warm_up)
        first++;
    count = sample_count - first;
    printf("%zu samples after %.0f s of warm-up\n\n", count, warm_up);
    printf("%-16s %14s %14s %14s %14s   %s\n", "", "begin", "end", "least", "most", "slope per hour");
    for (i = 0; i < MEASURES; i++) {
        struct trend *t = &trends[i];

        *t = trend_of(samples + first, count, (enum measure)i);
        printf("%-16s %14.0f %14.0f %14.0f %14.0f   %+.0f +- %.0f\n", measure_names[i], t->first, t->last, t->least,
               t->most, t->slope + 0.0, t->error); /* and no -0 */
        if (i <= C_HEAP)
            memory &= judged < worth_judging || t->slope - 2 * t->error <= most_growth;
    }
    printf("\n");
    if (judged < worth_judging)
        printf("memory was not judged: %.0f s of samples are too short to tell growth from noise\n", judged);
    else
        memory = report("memory_is_flat", memory);
    i = report("threads_are_flat",
               trends[THREAD_COUNT].slope - 2 * trends[THREAD_COUNT].error <= most_new_threads || judged < worth_judging);
    return report("descriptors_are_flat", count > 0 && trends[DESCRIPTORS].least == trends[DESCRIPTORS].most) && i && memory;
}

static void show_totals(double minutes, uint64_t seed)
{
    struct totals t = channels_totals();

    printf("soak: %.1f minutes, seed %llu: %d threads, %d channels, %d participants\n", minutes, (unsigned long long)seed,
           THREADS, CHANNELS, PARTICIPANTS);
    printf("%lld calls of the threads; %d restarts, %d resets; %lld generations of channels\n", traffic_operations(),
           restarts, resets, t.generations);
    printf("%lld messages (%.1f MiB) and %lld ephemeral deliveries; %lld deliveries\n", t.wrapped,
           (double)t.bytes / (1 << 20), t.ephemeral, t.delivered);
    printf("%lld packets lost, %lld repeated; %lld resends, %lld repairs, %lld marked as met\n", t.lost, t.repeated,
           t.resends, t.repairs, t.met);
}

static int usage(void)
{
    fprintf(stderr, "usage: soak [-s SEED] [-o SAMPLES.csv] MINUTES\n");
    return 2;
}

static FILE *open_csv(const char *path)
{
    FILE *csv = path != NULL ? fopen(path, "w") : NULL;
    int i;

    if (path != NULL && csv == NULL)
        perror(path);
    if (csv == NULL)
        return NULL;
    fprintf(csv, "seconds");
    for (i = 0; i < MEASURES; i++)
        fprintf(csv, ",%s", measure_names[i]);
    fprintf(csv, ",operations,delivered\n");
    return csv;
}

static void remove_folder(const char *folder)
{
    static const char *const files[] = {"alice.sds", "dave.sds"};
    char path[512];
    size_t i;

    for (i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    if (rmdir(folder) != 0)
        perror(folder);
}

/* without_caches begins the program anew without malloc's caches: what they hold counts as in use, and each of the
 * runtime's threads has one.
 */
static void without_caches(char **argv)
{
    static const char name[] = "GLIBC_TUNABLES";

    if (getenv(name) != NULL)
        return;
    setenv(name, "glibc.malloc.tcache_count=0", 1);
    execv("/proc/self/exe", argv);
    perror("/proc/self/exe");
}

int main(int argc, char **argv)
{
    const char *temporary = getenv("TMPDIR"), *output = NULL;
    char folder[256];
    uint64_t seed = (uint64_t)time(NULL);
    struct sample before, after;
    double minutes, kept;
    FILE *csv;
    int option, holds;

    without_caches(argv);
    while ((option = getopt(argc, argv, "s:o:")) != -1)
        switch (option) {
        case 's':
            seed = strtoull(optarg, NULL, 10);
            break;
        case 'o':
            output = optarg;
            break;
        default:
            return usage();
        }
    if (optind != argc - 1 || (minutes = strtod(argv[optind], NULL)) <= 0)
        return usage();
    setvbuf(stdout, NULL, _IOLBF, 0);
    csv = open_csv(output);
    snprintf(folder, sizeof folder, "%s/libsds-soak-XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    if (!participants_begin(folder))
        return 1;
    participants_end();
    before = take_sample(NULL, 0); /* with what the runtime opens once and for all */
    channels_begin(seed);
    if (!participants_begin(folder))
        return 1;
    began = seconds();
    traffic_begin(seed);
    run(minutes * 60, csv);
    fprintf(stderr, "soak: every channel comes to its end\n");
    traffic_stop();
    while (!traffic_is_over()) {
        participants_tick();
        pause_ms(10);
    }
    traffic_end();
    participants_end();
    channels_end();
    after = take_sample(NULL, 0);
    if (csv != NULL)
        fclose(csv);
    remove_folder(folder);

    show_totals(minutes, seed);
    holds = judge(minutes * 60);
    kept = after.values[C_HEAP] - before.values[C_HEAP];
    printf("C's heap when all had ended: %+.0f bytes\n\n", kept);
    holds &= report("nothing_is_open_in_the_end", after.values[DESCRIPTORS] == before.values[DESCRIPTORS]);
    holds &= report("nothing_is_kept_in_the_end", kept <= kept_once + kept_for_context * (restarts + resets));
    holds &= report("nothing_was_lost_doubled_or_changed", failure_count() == 0 && channels_totals().delivered > 0);
    return !holds;
}
