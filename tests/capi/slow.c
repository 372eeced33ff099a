/*
 * Callbacks that take their time. Whatever kind they are of, other contexts go on
 * meanwhile, their calls and their timers; a call on the same context that ends
 * meanwhile returns when the callback has returned; and a close waits for it.
 */
#include "native.h"

/* ---- those who must not be held up ------------------------------------------------ */

static struct {
    void *ctx;
    pthread_t thread;
    atomic_int calls, ticks, stopping;
} others;

static void count_tick(const SdsEvent *event, void *userData)
{
    (void)userData;
    atomic_fetch_add(&others.ticks, event->type == SDS_EVENT_PERIODIC_SYNC);
}

static void *call_others(void *unused)
{
    int i;

    for (i = 0; !atomic_load(&others.stopping); i++) {
        uint8_t *message = NULL;
        size_t length = 0;
        char id[32], *error = NULL;

        snprintf(id, sizeof id, "m%d", i % 50);
        EXPECT_STATUS(SdsWrap(others.ctx, "channel", id, "x", 1, &message, &length, &error), SDS_OK);
        SdsFree(message);
        atomic_fetch_add(&others.calls, 1);
    }
    return unused;
}

static void begin_others(void)
{
    char *error = NULL;

    others.ctx = open_native("other", "{" SMALL_FILTER ",\"syncMessageIntervalMs\":1}", NULL);
    EXPECT_NUMBER(SdsSetEventHandler(others.ctx, count_tick, NULL), SDS_OK);
    EXPECT_STATUS(SdsStart(others.ctx, &error), SDS_OK);
    atomic_store(&others.stopping, 0);
    pthread_create(&others.thread, NULL, call_others, NULL);
}

static void end_others(void)
{
    atomic_store(&others.stopping, 1);
    pthread_join(others.thread, NULL);
    close_native(others.ctx);
}

/* ---- the callback that takes its time ----------------------------------------------- */

static struct {
    int armed; /* set before the call, on one thread */
    atomic_int begun, ended;
    atomic_int waited_for; /* a call on the same context, or a close, is under way */
} slow;

/* stay returns when others have made progress and a call waits for this callback. The minute only bounds a failure. */
static void stay(void)
{
    int calls = atomic_load(&others.calls), ticks = atomic_load(&others.ticks), tries;

    if (!slow.armed)
        return;
    slow.armed = 0;
    atomic_store(&slow.begun, 1);
    for (tries = 0; tries < 60000; tries++) {
        if (atomic_load(&others.calls) >= calls + 20 && atomic_load(&others.ticks) >= ticks + 5 &&
            atomic_load(&slow.waited_for))
            break;
        sleep_ms(1);
    }
    EXPECT(atomic_load(&others.calls) >= calls + 20);
    EXPECT(atomic_load(&others.ticks) >= ticks + 5);
    EXPECT(atomic_load(&slow.waited_for));
    sleep_ms(20); /* for the call that waits to be further than its beginning */
    atomic_store(&slow.ended, 1);
}

static void on_event(const SdsEvent *event, void *userData)
{
    (void)event;
    (void)userData;
    stay();
}

static void on_text(int code, const char *text, size_t length, void *userData)
{
    (void)code;
    (void)text;
    (void)length;
    (void)userData;
    stay();
}

static void give_hint(const char *messageId, char **hint, size_t *hintLen, void *userData)
{
    (void)messageId;
    (void)hint;
    (void)hintLen;
    (void)userData;
    stay();
}

static int on_channel(SdsCall *call, const char *channel, void *userData)
{
    (void)call;
    (void)channel;
    (void)userData;
    stay();
    return 0;
}

static int commit(SdsCall *call, const char *channel, const uint8_t *meta, size_t metaLen,
                  const SdsHistoryRecord *append, size_t appendCount, const char *const *evict, size_t evictCount,
                  void *userData)
{
    (void)meta;
    (void)metaLen;
    (void)append;
    (void)appendCount;
    (void)evict;
    (void)evictCount;
    return on_channel(call, channel, userData);
}

/* What calls each kind; the context has a channel with a message. */
static void *ctx;
static struct bytes from_peer;

static void for_event(void)
{
    EXPECT_NUMBER(SdsSetEventHandler(ctx, on_event, NULL), SDS_OK);
    slow.armed = 1;
    receive(ctx, from_peer);
}

static void for_json(void)
{
    SdsSetEventCallback(ctx, on_text, NULL);
    slow.armed = 1;
    receive(ctx, from_peer);
}

static void for_timer(void)
{
    char *error = NULL;

    slow.armed = 1;
    EXPECT_NUMBER(SdsSetEventHandler(ctx, on_event, NULL), SDS_OK);
    EXPECT_STATUS(SdsStart(ctx, &error), SDS_OK);
    while (!atomic_load(&slow.ended))
        sleep_ms(1);
}

static void for_result(void)
{
    slow.armed = 1;
    SdsResetReliabilityManager(ctx, on_text, NULL);
}

static void for_hint(void)
{
    SdsSetRetrievalHintProvider(ctx, give_hint, NULL);
    slow.armed = 1;
    wrap_native(ctx, "channel", "a2", "hello");
}

static void for_commit(void)
{
    slow.armed = 1;
    wrap_native(ctx, "channel", "a3", "hello");
}

static void for_load(void)
{
    char *error = NULL;

    slow.armed = 1;
    EXPECT_STATUS(SdsEnsureChannel(ctx, "another", &error), SDS_OK);
}

static void for_drop(void)
{
    char *error = NULL;

    slow.armed = 1;
    EXPECT_STATUS(SdsDropChannel(ctx, "channel", &error), SDS_OK);
}

static const struct kind {
    const char *name;
    void (*call)(void);
} kinds[] = {
    {"event handler", for_event},
    {"event callback", for_json},
    {"event of the timer", for_timer},
    {"result callback", for_result},
    {"hint provider", for_hint},
    {"commit", for_commit},
    {"loadChannel", for_load},
    {"dropChannel", for_drop},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void open_slow(void)
{
    SdsPersistence procedures = {0};
    SdsOptions options = {0};
    char *error = NULL;
    void *peer = open_native("bob", "{" SMALL_FILTER "}", NULL);

    procedures.size = sizeof procedures;
    procedures.loadChannel = on_channel;
    procedures.dropChannel = on_channel;
    procedures.commit = commit;
    options.size = sizeof options;
    options.participantId = "alice";
    options.configJson = "{" SMALL_FILTER ",\"syncMessageIntervalMs\":1}";
    options.persistence = &procedures;
    memset(&slow, 0, sizeof slow);
    EXPECT_STATUS(SdsOpen(&options, &ctx, &error), SDS_OK);
    wrap_native(ctx, "channel", "a1", "hello");
    from_peer = wrap_native(peer, "channel", "b1", "hello");
    close_native(peer);
}

static void *run_slowly(void *kind)
{
    ((const struct kind *)kind)->call();
    return NULL;
}

/* with_each_slow runs step while a callback of each kind is under way. */
static void with_each_slow(void (*step)(void))
{
    int i;

    begin_others();
    for (i = 0; i < KINDS; i++) {
        pthread_t thread;
        int failed = atomic_load(&expectations.failures);

        open_slow();
        pthread_create(&thread, NULL, run_slowly, (void *)(size_t)&kinds[i]);
        while (!atomic_load(&slow.begun))
            sleep_ms(1);
        step();
        pthread_join(thread, NULL);
        if (ctx != NULL)
            close_native(ctx);
        if (atomic_load(&expectations.failures) > failed)
            printf("    with a slow %s\n", kinds[i].name);
    }
    end_others();
}

static void close_meanwhile(void)
{
    atomic_store(&slow.waited_for, 1);
    close_native(ctx);
    ctx = NULL;
    EXPECT(atomic_load(&slow.ended));
}

static void others_go_on_and_a_close_waits(void) { with_each_slow(close_meanwhile); }

static void call_meanwhile(void)
{
    atomic_store(&slow.waited_for, 1);
    EXPECT_NUMBER(SdsSetEventHandler(ctx, NULL, NULL), SDS_OK); /* takes its turn after whoever has it */
    wrap_native(ctx, "channel", "a4", "hello");
    EXPECT(atomic_load(&slow.ended));
}

static void others_go_on_and_calls_on_the_same_channel_wait(void) { with_each_slow(call_meanwhile); }

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(others_go_on_and_a_close_waits);
    RUN(others_go_on_and_calls_on_the_same_channel_wait);
    return expect_end();
}
