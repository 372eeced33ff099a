/*
 * The end of a process while the library is at work: timers run, threads are inside
 * calls, a store is open. However the process ends, it neither crashes nor hangs,
 * and what was said to be kept is kept. Each part runs in a process of its own.
 */
#define _GNU_SOURCE /* quick_exit in every C library */
#include "alone.h"
#include "cplusplus.h"
#include "native.h"

#include <sys/stat.h>

/* Timers that never rest. */
#define BUSY                                                                                                           \
    SMALL_FILTER ",\"syncMessageIntervalMs\":1,\"bufferSweepIntervalMs\":1,\"resendIntervalMs\":1,"                    \
                 "\"repairSweepIntervalMs\":1,\"maxResendAttempts\":1000000"

enum { CONTEXTS = 4, WORKERS = 2 };
static void *contexts[CONTEXTS];
static atomic_int events;

static void on_event(const SdsEvent *event, void *userData)
{
    (void)event;
    (void)userData;
    atomic_fetch_add(&events, 1);
}

/* work makes calls until the process ends or the context was closed. */
static void *work(void *ctx)
{
    unsigned i;

    for (i = 0;; i++) {
        uint8_t *message = NULL;
        size_t length = 0;
        char id[32], *error = NULL;
        int status;

        snprintf(id, sizeof id, "m%u", i % 50);
        status = SdsWrap(ctx, "channel", id, "content", 7, &message, &length, &error);
        SdsFree(message);
        SdsFree(error);
        if (status == SDS_ERR_INVALID_CONTEXT)
            return NULL;
    }
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s", what, why != NULL ? why : "");
    _exit(10);
}

/* begin has everything at work: timers of four contexts, one with a store if STORE names it, and threads in calls. */
static void begin(SdsEventHandler handler)
{
    const char *store = getenv("STORE");
    char config[600], *error = NULL;
    int i;

    for (i = 0; i < CONTEXTS; i++) {
        SdsOptions options = {0};
        uint8_t *message = NULL;
        size_t length = 0;

        options.size = sizeof options;
        options.participantId = "alice";
        options.configJson = config;
        options.eventHandler = handler;
        if (i == 0 && store != NULL)
            snprintf(config, sizeof config, "{\"storePath\":\"%s\"," BUSY "}", store);
        else
            snprintf(config, sizeof config, "{" BUSY "}");
        if (SdsOpen(&options, &contexts[i], &error) != SDS_OK ||
            SdsWrap(contexts[i], "channel", "first", "content", 7, &message, &length, &error) != SDS_OK ||
            SdsStart(contexts[i], &error) != SDS_OK)
            fail("begin", error);
        SdsFree(message);
    }
    for (i = 0; i < WORKERS; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, work, contexts[i]) != 0)
            fail("begin", "no thread");
    }
    while (atomic_load(&events) < 3)
        sleep_ms(1);
    sleep_ms((int)(getpid() % 5)); /* not always at the same moment */
}

/* ---- the ways to end ------------------------------------------------------------ */

static int return_from_main(void)
{
    begin(on_event);
    return 0;
}

static int call_exit(void)
{
    begin(on_event);
    exit(0);
}

static int call_quick_exit(void)
{
    begin(on_event);
    quick_exit(0);
}

static int call_underscore_exit(void)
{
    begin(on_event);
    _exit(0);
}

/* On a thread of the library, inside its callback, while others want to call back. */
static void exit_inside(const SdsEvent *event, void *userData)
{
    on_event(event, userData);
    if (atomic_load(&events) > 10)
        exit(0);
}

static int exit_inside_an_event(void)
{
    begin(exit_inside);
    sleep_ms(60000);
    return 11;
}

static void take_long(const SdsEvent *event, void *userData)
{
    on_event(event, userData);
    if (atomic_load(&events) > 2)
        sleep_ms(60000);
}

static int exit_during_a_callback(void)
{
    begin(take_long);
    return 0;
}

/* close_all is what an orderly host does; it waits for the calls under way. */
static void close_all(void)
{
    int i;

    for (i = 0; i < CONTEXTS; i++)
        if (SdsClose(contexts[i]) != SDS_OK)
            fail("close_all", "refused");
}

/* Whatever runs at exit may still use the library. */
static void use_all(void)
{
    uint8_t *message = NULL;
    size_t length = 0;
    void *ctx = NULL;
    char *error = NULL;

    if (SdsOpen(NULL, &ctx, &error) != SDS_OK ||
        SdsWrap(ctx, "channel", "last", "content", 7, &message, &length, &error) != SDS_OK || SdsStart(ctx, &error) != SDS_OK)
        fail("use_all", error);
    SdsFree(message);
    close_all();
}

static int close_at_exit(void)
{
    begin(on_event);
    atexit(close_all);
    return 0;
}

static int use_at_exit(void)
{
    begin(on_event);
    atexit(use_all);
    return 0;
}

static int use_at_quick_exit(void)
{
    begin(on_event);
    at_quick_exit(use_all);
    quick_exit(0);
}

static int use_in_a_destructor(void)
{
    begin(on_event);
    at_destruction(use_all);
    return 0;
}

/* The library's threads go on when that of main() ends; another one ends the process. */
static void *exit_later(void *unused)
{
    int before = atomic_load(&events);

    (void)unused;
    sleep_ms(5);
    while (atomic_load(&events) < before + 3)
        sleep_ms(1);
    use_all();
    exit(0);
}

static int end_the_main_thread(void)
{
    pthread_t thread;

    begin(on_event);
    if (pthread_create(&thread, NULL, exit_later, NULL) != 0)
        return 12;
    pthread_exit(NULL);
}

static const struct part parts[] = {
    {"return", return_from_main},
    {"exit", call_exit},
    {"quick_exit", call_quick_exit},
    {"_exit", call_underscore_exit},
    {"exit inside an event", exit_inside_an_event},
    {"return during a callback", exit_during_a_callback},
    {"close at exit", close_at_exit},
    {"use at exit", use_at_exit},
    {"use at quick_exit", use_at_quick_exit},
    {"use in a destructor", use_in_a_destructor},
    {"end the main thread", end_the_main_thread},
};

/* ---- rules ------------------------------------------------------------------------ */

static void repeat(const char *part)
{
    int i;

    for (i = 0; i < scaled(100); i++) {
        struct ending ending = run_alone(part);

        EXPECT(WIFEXITED(ending.status));
        if (!EXPECT_NUMBER(WIFEXITED(ending.status) ? WEXITSTATUS(ending.status) : -WTERMSIG(ending.status), 0) ||
            !EXPECT_TEXT(ending.errors, ""))
            return;
    }
}

static void a_process_may_end_while_timers_and_threads_are_at_work(void)
{
    repeat("return");
    repeat("exit");
    repeat("quick_exit");
    repeat("_exit");
}

static void a_process_may_end_inside_a_callback_or_during_one(void)
{
    repeat("exit inside an event");
    repeat("return during a callback");
}

static void what_runs_at_exit_may_use_and_close(void)
{
    repeat("close at exit");
    repeat("use at exit");
    repeat("use at quick_exit");
}

static void a_destructor_of_a_static_object_may_use_and_close(void) { repeat("use in a destructor"); }

static void the_library_goes_on_when_the_main_thread_ends(void) { repeat("end the main thread"); }

/* However it ended, the next process finds what the last one had been told was kept. */
static void a_store_survives_every_end(void)
{
    const char *temporary = getenv("TMPDIR");
    char folder[256], store[300], config[400], *json = NULL, *error = NULL;
    size_t i;
    void *ctx;

    snprintf(folder, sizeof folder, "%s/libsds-exits-XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (!EXPECT(mkdtemp(folder) != NULL))
        return;
    snprintf(store, sizeof store, "%s/store", folder);
    snprintf(config, sizeof config, "{\"storePath\":\"%s\"," SMALL_FILTER "}", store);
    setenv("STORE", store, 1);
    for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        EXPECT_EXIT(parts[i].name);
        ctx = open_native("alice", config, NULL);
        EXPECT_STATUS(SdsEnsureChannel(ctx, "channel", &error), SDS_OK);
        EXPECT_STATUS(SdsInspect(ctx, "channel", &json, &error), SDS_OK);
        EXPECT(json != NULL && strstr(json, "\"first\"") != NULL);
        SdsFree(json);
        EXPECT_STATUS(SdsReset(ctx, &error), SDS_OK);
        close_native(ctx);
    }
    unsetenv("STORE");
    unlink(store);
    EXPECT_NUMBER(rmdir(folder), 0);
}

int main(int argc, char **argv)
{
    int status = alone(argc, argv, parts, sizeof parts / sizeof parts[0]);

    if (status >= 0)
        return status;
    expect_begin(argc, argv);
    RUN(a_process_may_end_while_timers_and_threads_are_at_work);
    RUN(a_process_may_end_inside_a_callback_or_during_one);
    RUN(what_runs_at_exit_may_use_and_close);
    RUN(a_destructor_of_a_static_object_may_use_and_close);
    RUN(the_library_goes_on_when_the_main_thread_ends);
    RUN(a_store_survives_every_end);
    return expect_end();
}
