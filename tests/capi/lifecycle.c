/*
 * Creating and cleaning up: nothing is left behind, nothing comes after, and
 * no handle comes twice.
 */
#include "footprint.h"
#include "host.h"


enum { CYCLES = 10000, WARM_UP = 500 };

static void *handles[CYCLES + WARM_UP];
static size_t handle_count;

/* One life: every third one has periodic tasks, every fifth has talked. */
static void live_and_die(int cycle)
{
    atomic_int calls = 0;
    int expected = 2;
    /* Small results, since the library keeps results for a second. */
    void *ctx = SdsNewReliabilityManagerWithConfig("alice", "{\"bloomFilterCapacity\":20}", count_calls, &calls);

    handles[handle_count++] = ctx;
    if (cycle % 3 == 0) {
        SdsStartPeriodicTasks(ctx, count_calls, &calls);
        expected++;
    }
    if (cycle % 5 == 0) {
        SdsWrapOutgoingMessage(ctx, &cycle, sizeof cycle, "m1", "channel", count_calls, &calls);
        expected++;
    }
    SdsCleanupReliabilityManager(ctx, count_calls, &calls);
    EXPECT_NUMBER(atomic_load(&calls), expected);
}

/* How much memory the process has after so many results of 40 to 60 KiB, which are all kept for a second. */
static long resident_after_results(void *ctx, int results)
{
    atomic_int calls = 0;
    int i;

    for (i = 0; i < results; i++) {
        char id[32];

        snprintf(id, sizeof id, "m%d", i);
        SdsWrapOutgoingMessage(ctx, id, strlen(id), id, "channel", count_calls, &calls);
    }
    EXPECT_NUMBER(atomic_load(&calls), results);
    return measure().resident_kib;
}

static void results_do_not_pile_up(void)
{
    const long slack_kib = 16 * 1024;
    int results = scaled(1000);
    void *ctx = open_context("alice", NULL);
    long first, last;

    resident_after_results(ctx, results);
    sleep_ms(1500);
    first = resident_after_results(ctx, results);
    sleep_ms(1500);
    last = resident_after_results(ctx, results);
    if (!EXPECT(last <= first + slack_kib))
        printf("    resident %ld -> %ld KiB\n", first, last);
    close_context(ctx);
}

static int compare_handles(const void *left, const void *right)
{
    const char *a = *(char *const *)left, *b = *(char *const *)right;

    return (a > b) - (a < b);
}

static void lives_leave_nothing_behind_and_no_handle_comes_twice(void)
{
    /* A collector works in strides: what it has not returned yet is no growth. 8 MiB in 10,000 lives is less than 1 KiB each. */
    /* The runtime begins threads as it comes to need them, up to a bound that goes with the processors. */
    const long slack_kib = 8 * 1024, slack_threads = 4 + 4 * sysconf(_SC_NPROCESSORS_ONLN);
    struct footprint before, after;
    size_t i;
    int cycle;

    for (cycle = 0; cycle < WARM_UP; cycle++)
        live_and_die(cycle);
    before = measure();
    for (cycle = 0; cycle < scaled(CYCLES); cycle++)
        live_and_die(cycle);
    after = measure();
    if (!EXPECT(after.resident_kib <= before.resident_kib + slack_kib) ||
        !EXPECT(after.threads <= before.threads + slack_threads))
        printf("    resident %ld -> %ld KiB, threads %ld -> %ld\n", before.resident_kib, after.resident_kib,
               before.threads, after.threads);
    EXPECT_NUMBER(after.descriptors, before.descriptors);

    qsort(handles, handle_count, sizeof handles[0], compare_handles);
    EXPECT(handles[0] != NULL);
    for (i = 1; i < handle_count; i++)
        EXPECT(handles[i] != handles[i - 1]);
}

/* A handle is an address of the process, not a number in disguise: Go hosts move stacks and look at such values. */
static void a_handle_is_a_readable_address(void)
{
    void *ctx = open_context("alice", NULL);

    EXPECT((size_t)ctx > 65536);
    EXPECT((size_t)ctx % sizeof(void *) == 0);
    EXPECT(*(volatile unsigned char *)ctx <= 255);
    close_context(ctx);
}

/* An event callback that takes its time, on the library's own thread. */
struct slow {
    atomic_int begun;
    atomic_int ended;
    atomic_int closed;
    atomic_int called_after;
    int pause_ms;
};

static void take_time(int code, const char *text, size_t length, void *userData)
{
    struct slow *slow = userData;

    (void)code;
    (void)text;
    (void)length;
    if (atomic_load(&slow->closed))
        atomic_fetch_add(&slow->called_after, 1);
    atomic_fetch_add(&slow->begun, 1);
    sleep_ms(slow->pause_ms);
    atomic_fetch_add(&slow->ended, 1);
}

static const char busy_config[] = "{" SMALL_FILTER ",\"syncMessageIntervalMs\":1,\"bufferSweepIntervalMs\":1,"
                                  "\"resendIntervalMs\":1,\"repairSweepIntervalMs\":1}";

static void cleanup_waits_for_the_callback_under_way(void)
{
    struct slow slow = {0};
    void *ctx = open_context("alice", busy_config);

    slow.pause_ms = 200;
    wrapped(ctx, "channel", "m1", "content");
    SdsSetEventCallback(ctx, take_time, &slow);
    EXPECT_DONE(start_tasks(ctx));
    while (atomic_load(&slow.begun) == atomic_load(&slow.ended))
        sleep_ms(1);
    close_context(ctx);
    atomic_store(&slow.closed, 1);
    EXPECT_NUMBER(atomic_load(&slow.begun), atomic_load(&slow.ended));
    sleep_ms(300);
    EXPECT_NUMBER(atomic_load(&slow.called_after), 0);
}

/* The same for a result callback on a thread of the host. */
static void *start_slowly(void *argument)
{
    void **arguments = argument;

    SdsStartPeriodicTasks(arguments[0], take_time, arguments[1]);
    return NULL;
}

static void cleanup_waits_for_a_result_on_another_thread(void)
{
    struct slow slow = {0};
    void *ctx = open_context("alice", NULL);
    void *arguments[2];
    pthread_t thread;

    slow.pause_ms = 200;
    arguments[0] = ctx;
    arguments[1] = &slow;
    pthread_create(&thread, NULL, start_slowly, arguments);
    while (atomic_load(&slow.begun) == 0)
        sleep_ms(1);
    close_context(ctx);
    EXPECT_NUMBER(atomic_load(&slow.ended), 1);
    pthread_join(thread, NULL);
}

static void no_event_comes_after_cleanup(void)
{
    enum { ROUNDS = 100 };
    static struct slow slow[ROUNDS];
    int rounds = scaled(ROUNDS), after = 0, i;

    memset(slow, 0, sizeof slow);
    for (i = 0; i < rounds; i++) {
        void *ctx = open_context("alice", busy_config);

        wrapped(ctx, "channel", "m1", "content");
        SdsSetEventCallback(ctx, take_time, &slow[i]);
        EXPECT_DONE(start_tasks(ctx));
        sleep_ms(i % 5);
        close_context(ctx);
        atomic_store(&slow[i].closed, 1);
    }
    sleep_ms(100);
    for (i = 0; i < rounds; i++)
        after += atomic_load(&slow[i].called_after);
    EXPECT_NUMBER(after, 0);
}

/* Once taken away, an event callback is not called: its user data may be freed. */
static void no_event_comes_after_its_callback_was_taken_away(void)
{
    struct slow slow = {0};
    void *ctx = open_context("alice", busy_config);

    wrapped(ctx, "channel", "m1", "content");
    SdsSetEventCallback(ctx, take_time, &slow);
    EXPECT_DONE(start_tasks(ctx));
    while (atomic_load(&slow.begun) == 0)
        sleep_ms(1);
    SdsSetEventCallback(ctx, NULL, NULL);
    atomic_store(&slow.closed, 1);
    sleep_ms(100);
    EXPECT_NUMBER(atomic_load(&slow.called_after), 0);
    close_context(ctx);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(lives_leave_nothing_behind_and_no_handle_comes_twice);
    RUN(results_do_not_pile_up);
    RUN(a_handle_is_a_readable_address);
    RUN(cleanup_waits_for_the_callback_under_way);
    RUN(cleanup_waits_for_a_result_on_another_thread);
    RUN(no_event_comes_after_cleanup);
    RUN(no_event_comes_after_its_callback_was_taken_away);
    return expect_end();
}
