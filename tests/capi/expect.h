/*
 * expect.h: checks for the C hosts of this folder.
 *
 * A host is a list of rules. Each rule is a function, named after what it
 * proves, that makes checks; RUN runs it and prints one line in the manner of
 * `go test -v`, so that one script can count all results. A failed check is
 * reported where it stands and does not end its rule: a host must survive what
 * it tests. Checks may be made from any thread.
 *
 * Environment: SDS_TEST_SCALE is the share, in percent, of the usual number of
 * repetitions (default 100; slow tools such as valgrind pass less).
 * SDS_TEST_PATIENCE is how many seconds a whole host may take (default 120).
 * One argument, if given, selects the rules whose name contains it.
 */
#ifndef EXPECT_H
#define EXPECT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPECT(condition) expect_true((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define EXPECT_NUMBER(got, want) \
    expect_number((long long)(got), (long long)(want), #got, __FILE__, __LINE__)
#define EXPECT_TEXT(got, want) expect_text((got), (want), #got, __FILE__, __LINE__)
#define RUN(rule) expect_run(#rule, rule)

static struct {
    const char *host;   /* the name of this program */
    const char *rule;   /* the rule that is running */
    const char *filter; /* NULL: all rules */
    atomic_int checks;  /* of the rule that is running */
    atomic_int failures;
    int failed_rules;
} expectations = {"host", "none", NULL, 0, 0, 0};

/* A rule that fails a thousand times is not a thousand times more readable. */
enum { EXPECT_REPORTED_FAILURES = 10 };

static inline int expect_count_failure(void)
{
    return atomic_fetch_add(&expectations.failures, 1) < EXPECT_REPORTED_FAILURES;
}

static inline int expect_true(int holds, const char *condition, const char *file, int line)
{
    atomic_fetch_add(&expectations.checks, 1);
    if (!holds && expect_count_failure())
        printf("    %s:%d: expected: %s\n", file, line, condition);
    return holds;
}

static inline int expect_number(long long got, long long want, const char *what, const char *file, int line)
{
    atomic_fetch_add(&expectations.checks, 1);
    if (got != want && expect_count_failure())
        printf("    %s:%d: %s is %lld, expected %lld\n", file, line, what, got, want);
    return got == want;
}

static inline int expect_text(const char *got, const char *want, const char *what, const char *file, int line)
{
    int same = got != NULL && want != NULL ? strcmp(got, want) == 0 : got == want;

    atomic_fetch_add(&expectations.checks, 1);
    if (!same && expect_count_failure())
        printf("    %s:%d: %s is \"%.300s\", expected \"%.300s\"\n", file, line, what, got != NULL ? got : "(NULL)",
               want != NULL ? want : "(NULL)");
    return same;
}

/* scratch returns zeroed memory that lives until the rule that asks for it ends. */
struct scratch_block {
    struct scratch_block *next;
    max_align_t bytes[];
};
static struct scratch_block *scratch_blocks;
static pthread_mutex_t scratch_lock = PTHREAD_MUTEX_INITIALIZER;

static inline void *scratch(size_t size)
{
    struct scratch_block *block = calloc(1, sizeof *block + size);

    if (block == NULL)
        abort();
    pthread_mutex_lock(&scratch_lock);
    block->next = scratch_blocks;
    scratch_blocks = block;
    pthread_mutex_unlock(&scratch_lock);
    return block->bytes;
}

/* scratch_copy returns a NUL-terminated copy of size bytes, or NULL for NULL. */
static inline char *scratch_copy(const char *source, size_t size)
{
    char *copy;

    if (source == NULL)
        return NULL;
    copy = scratch(size + 1);
    memcpy(copy, source, size);
    return copy;
}

static inline void scratch_free_all(void)
{
    while (scratch_blocks != NULL) {
        struct scratch_block *next = scratch_blocks->next;
        free(scratch_blocks);
        scratch_blocks = next;
    }
}

static inline int environment_number(const char *name, int fallback)
{
    const char *text = getenv(name);

    return text != NULL && atoi(text) > 0 ? atoi(text) : fallback;
}

/* scaled returns the number of repetitions to make where count are usual. */
static inline int scaled(int count)
{
    long long share = (long long)count * environment_number("SDS_TEST_SCALE", 100) / 100;

    return share < 1 ? 1 : (int)share;
}

static inline double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void sleep_ms(int milliseconds)
{
    struct timespec pause = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};

    while (nanosleep(&pause, &pause) != 0) {
    }
}

/* A host that hangs must say in which rule; only write and _exit are allowed here. */
static void expect_hangs(int signal_number)
{
    static const char words[] = "\n--- FAIL: the host hangs in ";
    size_t length = strlen(expectations.rule);

    (void)signal_number;
    if (write(STDOUT_FILENO, words, sizeof words - 1) < 0 || write(STDOUT_FILENO, expectations.rule, length) < 0 ||
        write(STDOUT_FILENO, "\n", 1) < 0)
        _exit(3);
    _exit(2);
}

static inline void expect_begin(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');

    expectations.host = slash != NULL ? slash + 1 : argv[0];
    expectations.filter = argc > 1 ? argv[1] : NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGALRM, expect_hangs);
    alarm((unsigned)environment_number("SDS_TEST_PATIENCE", 120));
}

static inline void expect_run(const char *name, void (*rule)(void))
{
    double begin;
    int failed;

    if (expectations.filter != NULL && strstr(name, expectations.filter) == NULL)
        return;
    expectations.rule = name;
    atomic_store(&expectations.checks, 0);
    atomic_store(&expectations.failures, 0);
    begin = seconds_now();
    rule();
    if (atomic_load(&expectations.checks) == 0)
        EXPECT(!"a rule without a check proves nothing");
    failed = atomic_load(&expectations.failures);
    if (failed > 0)
        expectations.failed_rules++;
    printf("--- %s: %s/%s (%.2fs, %d checks, %d failed)\n", failed > 0 ? "FAIL" : "PASS", expectations.host, name,
           seconds_now() - begin, atomic_load(&expectations.checks), failed);
    scratch_free_all();
}

/* expect_end returns the exit status of the host. */
static inline int expect_end(void)
{
    fflush(stdout);
    return expectations.failed_rules > 0;
}

#endif
