/*
 * Many threads: callbacks of one context never overlap, no call is lost, and
 * what was sent arrives.
 */
#include "host.h"

enum { THREADS = 64 };

/* A context and the proof that its callbacks come one at a time. */
struct guarded {
    void *ctx;
    atomic_int inside;
    atomic_int overlaps;
    atomic_int results;
    atomic_int errors;
    atomic_int ready;
};

static void enter(struct guarded *guarded)
{
    if (atomic_fetch_add(&guarded->inside, 1) != 0)
        atomic_fetch_add(&guarded->overlaps, 1);
}

static void leave(struct guarded *guarded)
{
    struct timespec moment = {0, 1000};

    nanosleep(&moment, NULL); /* long enough for another thread to be caught inside */
    atomic_fetch_sub(&guarded->inside, 1);
}

static void guarded_event(int code, const char *text, size_t length, void *userData)
{
    struct guarded *guarded = userData;

    (void)code;
    (void)length;
    enter(guarded);
    if (strstr(text, "\"message_ready\"") != NULL)
        atomic_fetch_add(&guarded->ready, 1);
    leave(guarded);
}

static void open_guarded(struct guarded *guarded, const char *participant)
{
    guarded->ctx = open_context(participant, "{" SMALL_FILTER "}");
    SdsSetEventCallback(guarded->ctx, guarded_event, guarded);
}

static void close_guarded(struct guarded *guarded)
{
    EXPECT_NUMBER(atomic_load(&guarded->overlaps), 0);
    EXPECT_NUMBER(atomic_load(&guarded->errors), 0);
    EXPECT_NUMBER(atomic_load(&guarded->inside), 0);
    close_context(guarded->ctx);
}

/* What one thread does: wrap its own messages, or unwrap all messages in an order of its own. */
struct work {
    struct guarded *guarded;
    struct bytes *wires; /* shared by all threads */
    const char *channel;
    int thread;
    int messages; /* of each thread */
};

/* One call: whom its callback reports to and where it leaves its message. */
struct call {
    struct guarded *guarded;
    struct bytes *wire;
    pthread_t thread;
    int calls;
};

static void guarded_result(int code, const char *text, size_t length, void *userData)
{
    struct call *call = userData;

    enter(call->guarded);
    call->calls++;
    atomic_fetch_add(&call->guarded->results, 1);
    if (code != RET_OK || !pthread_equal(call->thread, pthread_self()))
        atomic_fetch_add(&call->guarded->errors, 1);
    if (call->wire != NULL)
        *call->wire = read_decimal(scratch_copy(text, length));
    leave(call->guarded);
}

static void *wrap_own_messages(void *argument)
{
    struct work *work = argument;
    int i;

    for (i = 0; i < work->messages; i++) {
        struct call call = {work->guarded, &work->wires[work->thread * work->messages + i], pthread_self(), 0};
        char id[32];

        snprintf(id, sizeof id, "m%d.%d", work->thread, i);
        SdsWrapOutgoingMessage(work->guarded->ctx, id, strlen(id), id, work->channel, guarded_result, &call);
        if (call.calls != 1)
            atomic_fetch_add(&work->guarded->errors, 1);
    }
    return NULL;
}

static void *unwrap_all_messages(void *argument)
{
    struct work *work = argument;
    int total = THREADS * work->messages, i;

    for (i = 0; i < total; i++) {
        struct bytes wire = work->wires[(i * 7 + work->thread * 131) % total];
        struct call call = {work->guarded, NULL, pthread_self(), 0};

        if (i % 8 != work->thread % 8)
            continue; /* eight threads for each message are enough to make duplicates */
        SdsUnwrapReceivedMessage(work->guarded->ctx, wire.data, wire.length, guarded_result, &call);
        if (call.calls != 1)
            atomic_fetch_add(&work->guarded->errors, 1);
    }
    return NULL;
}

static void run_threads(void *(*body)(void *), struct work *works)
{
    pthread_t threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++)
        EXPECT_NUMBER(pthread_create(&threads[i], NULL, body, &works[i]), 0);
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void threads_on_one_context_lose_nothing(void)
{
    struct guarded alice = {0}, bob = {0};
    struct work works[THREADS];
    int messages = scaled(12), total = THREADS * messages, i;
    struct bytes *wires = scratch((size_t)total * sizeof *wires);

    open_guarded(&alice, "alice");
    open_guarded(&bob, "bob");
    for (i = 0; i < THREADS; i++)
        works[i] = (struct work){&alice, wires, "channel", i, messages};
    run_threads(wrap_own_messages, works);
    EXPECT_NUMBER(atomic_load(&alice.results), total);
    for (i = 0; i < THREADS; i++)
        works[i].guarded = &bob;
    run_threads(unwrap_all_messages, works);

    /* What no thread happened to bring is brought now; the log then holds each message once. */
    for (i = 0; i < total; i++)
        EXPECT_OK(unwrap(bob.ctx, wires[i]));
    EXPECT_NUMBER(atomic_load(&bob.ready), total);
    close_guarded(&alice);
    close_guarded(&bob);
}

static void threads_on_channels_of_their_own_share_a_context(void)
{
    struct guarded alice = {0};
    struct work works[THREADS];
    char channels[THREADS][24];
    int messages = scaled(15), i;
    struct bytes *wires = scratch((size_t)(THREADS * messages) * sizeof *wires);

    open_guarded(&alice, "alice");
    for (i = 0; i < THREADS; i++) {
        snprintf(channels[i], sizeof channels[i], "channel%d", i);
        works[i] = (struct work){&alice, wires, channels[i], i, messages};
    }
    run_threads(wrap_own_messages, works);
    EXPECT_NUMBER(atomic_load(&alice.results), THREADS * messages);
    close_guarded(&alice);
}

static void threads_on_contexts_of_their_own_do_not_meet(void)
{
    static struct guarded contexts[THREADS];
    struct work works[THREADS];
    int messages = scaled(15), i;
    struct bytes *wires = scratch((size_t)(THREADS * messages) * sizeof *wires);

    memset(contexts, 0, sizeof contexts);
    for (i = 0; i < THREADS; i++) {
        open_guarded(&contexts[i], "alice");
        works[i] = (struct work){&contexts[i], wires, "channel", i, messages};
    }
    run_threads(wrap_own_messages, works);
    for (i = 0; i < THREADS; i++) {
        EXPECT_NUMBER(atomic_load(&contexts[i].results), messages);
        close_guarded(&contexts[i]);
    }
}

/* The library's own timer is one more thread whose events must wait their turn. */
static void periodic_events_do_not_overlap_with_results(void)
{
    struct guarded alice = {0};
    struct work works[THREADS];
    int messages = scaled(10), i;
    struct bytes *wires = scratch((size_t)(THREADS * messages) * sizeof *wires);

    alice.ctx = open_context("alice", "{" SMALL_FILTER ",\"syncMessageIntervalMs\":1,\"bufferSweepIntervalMs\":1,"
                                      "\"resendIntervalMs\":1,\"repairSweepIntervalMs\":1}");
    SdsSetEventCallback(alice.ctx, guarded_event, &alice);
    EXPECT_DONE(start_tasks(alice.ctx));
    for (i = 0; i < THREADS; i++)
        works[i] = (struct work){&alice, wires, "channel", i, messages};
    run_threads(wrap_own_messages, works);
    EXPECT_NUMBER(atomic_load(&alice.results), THREADS * messages);
    close_context(alice.ctx);
    EXPECT_NUMBER(atomic_load(&alice.overlaps), 0);
    EXPECT_NUMBER(atomic_load(&alice.errors), 0);
}

/* Threads that use a context while another closes it: each call succeeds or is refused. */
static void *wrap_until_refused(void *argument)
{
    struct work *work = argument;
    int i;

    for (i = 0;; i++) {
        struct answer answer;
        char id[32];

        snprintf(id, sizeof id, "m%d.%d", work->thread, i);
        answer = wrap(work->guarded->ctx, work->channel, id, "content");
        if (answer.calls != 1)
            atomic_fetch_add(&work->guarded->errors, 1);
        if (answer.code == RET_ERR)
            return NULL;
    }
}

static void cleanup_may_come_while_threads_are_calling(void)
{
    struct guarded alice = {0};
    struct work works[THREADS];
    pthread_t threads[THREADS];
    int i;

    alice.ctx = open_context("alice", "{" SMALL_FILTER ",\"maxOutgoingMessages\":1000000}");
    for (i = 0; i < THREADS; i++) {
        works[i] = (struct work){&alice, NULL, "channel", i, 0};
        EXPECT_NUMBER(pthread_create(&threads[i], NULL, wrap_until_refused, &works[i]), 0);
    }
    sleep_ms(50);
    close_context(alice.ctx);
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    EXPECT_NUMBER(atomic_load(&alice.errors), 0);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(threads_on_one_context_lose_nothing);
    RUN(threads_on_channels_of_their_own_share_a_context);
    RUN(threads_on_contexts_of_their_own_do_not_meet);
    RUN(periodic_events_do_not_overlap_with_results);
    RUN(cleanup_may_come_while_threads_are_calling);
    return expect_end();
}
