/*
 * Calls from inside callbacks. Nothing here may wait for itself: the alarm of
 * expect.h ends a host that hangs.
 */
#include "operations.h"

/* A callback that wraps again, on the context it belongs to, until it has done so `left` times. */
struct nested_wrap {
    void *ctx;
    int left;
    int done;
};

static void wrap_again(int code, const char *text, size_t length, void *userData)
{
    struct nested_wrap *nested = userData;
    char id[32];

    (void)text;
    EXPECT_NUMBER(code, RET_OK);
    EXPECT(length > 0);
    nested->done++;
    if (nested->left-- == 0)
        return;
    snprintf(id, sizeof id, "nested%d", nested->left);
    EXPECT_NUMBER(SdsWrapOutgoingMessage(nested->ctx, id, strlen(id), id, "channel", wrap_again, nested), RET_OK);
}

static void a_result_may_wrap_on_its_own_context(void)
{
    struct nested_wrap nested = {open_context("alice", NULL), 20, 0};

    EXPECT_NUMBER(SdsWrapOutgoingMessage(nested.ctx, &nested, 1, "first", "channel", wrap_again, &nested), RET_OK);
    EXPECT_NUMBER(nested.done, 21);
    close_context(nested.ctx);
}

/* A host that answers each message as soon as it is ready. */
struct replier {
    void *own;
    void *other; /* the context that gets the reply at once; may be NULL */
    int ready;
    struct answer reply;
};

static void reply_when_ready(int code, const char *text, size_t length, void *userData)
{
    struct replier *replier = userData;
    struct json event = json_parse(text, length);
    char *id = json_string(json_get(event, "messageId"));
    char reply_id[64];

    (void)code;
    if (!json_is(json_get(event, "eventType"), "\"message_ready\""))
        return;
    replier->ready++;
    snprintf(reply_id, sizeof reply_id, "re:%.40s", id);
    replier->reply = wrap(replier->own, "channel", reply_id, "reply");
    EXPECT_OK(replier->reply);
    if (replier->other != NULL)
        EXPECT_OK(unwrap(replier->other, read_decimal(replier->reply.text)));
}

static void message_ready_may_wrap_a_reply(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct replier replier = {0};
    struct json result;

    replier.own = bob;
    SdsSetEventCallback(bob, reply_when_ready, &replier);
    unwrapped(bob, wrapped(alice, "channel", "m1", "hi"));
    EXPECT_NUMBER(replier.ready, 1);
    result = unwrapped(alice, read_decimal(replier.reply.text));
    EXPECT_TEXT(json_string(json_get(result, "messageId")), "re:m1");
    EXPECT_NUMBER(json_count(json_get(result, "missingDeps")), 0);
    close_context(alice);
    close_context(bob);
}

static void an_event_may_call_another_context(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct journal *heard = new_journal();
    struct replier replier = {0};

    replier.own = bob;
    replier.other = alice;
    SdsSetEventCallback(alice, journal_event, heard);
    SdsSetEventCallback(bob, reply_when_ready, &replier);
    unwrapped(bob, wrapped(alice, "channel", "m1", "hi"));
    EXPECT_NUMBER(journal_count(heard, "message_sent", "m1"), 1);
    EXPECT_NUMBER(journal_count(heard, "message_ready", "re:m1"), 1);
    close_context(alice);
    close_context(bob);
}

/* Every operation, called on the own context from inside a result. */
static int operation_inside;

static void call_operation(int code, const char *text, size_t length, void *userData)
{
    struct answer inner = {0};

    (void)code;
    (void)text;
    (void)length;
    inner.returned = operations[operation_inside].call(userData, take_answer, &inner);
    EXPECT_OK(inner);
}

static void every_operation_may_be_called_from_a_result(void)
{
    for (operation_inside = 0; operation_inside < OPERATION_COUNT; operation_inside++) {
        void *ctx = open_context("alice", NULL);
        struct answer answer;

        EXPECT_NUMBER(SdsWrapOutgoingMessage(ctx, &ctx, 1, "outer", "channel", call_operation, ctx), RET_OK);
        answer = wrap(ctx, "channel", "after", "content");
        if (operations[operation_inside].call == call_cleanup) {
            EXPECT_REFUSED(answer, "libsds error: invalid context");
        } else {
            EXPECT_OK(answer);
            close_context(ctx);
        }
    }
}

/* A host that closes its context as soon as it hears of anything. */
struct closer {
    void *ctx;
    int closed;
    int called_after;
};

static void close_at_once(int code, const char *text, size_t length, void *userData)
{
    struct closer *closer = userData;

    (void)code;
    (void)text;
    (void)length;
    if (closer->closed) {
        closer->called_after++;
        return;
    }
    close_context(closer->ctx);
    closer->closed = 1;
}

static void cleanup_inside_an_event_is_the_last_that_the_events_hear(void)
{
    void *alice = open_context("alice", NULL);
    struct closer closer = {open_context("bob", NULL), 0, 0};
    struct answer outer = {0};
    struct bytes wires[3];
    int i;

    for (i = 0; i < 3; i++) {
        char id[] = {'m', (char)('0' + i), '\0'};
        wires[i] = wrapped(alice, "channel", id, "content");
    }
    unwrapped(closer.ctx, wires[2]);
    unwrapped(closer.ctx, wires[1]);
    SdsSetEventCallback(closer.ctx, NULL, NULL);
    SdsSetEventCallback(closer.ctx, close_at_once, &closer);
    EXPECT_NUMBER(closer.closed, 1);
    EXPECT_NUMBER(closer.called_after, 0);
    EXPECT_REFUSED(unwrap(closer.ctx, wires[0]), "libsds error: invalid context");

    /* In the midst of a cascade: the events that were still to come are dropped, the result comes. */
    closer.ctx = open_context("bob", NULL);
    closer.closed = 0;
    unwrapped(closer.ctx, wires[2]);
    unwrapped(closer.ctx, wires[1]);
    SdsSetEventCallback(closer.ctx, count_calls, NULL);
    SdsSetEventCallback(closer.ctx, close_at_once, &closer);
    outer.returned = SdsUnwrapReceivedMessage(closer.ctx, wires[0].data, wires[0].length, take_answer, &outer);
    EXPECT_NUMBER(closer.closed, 1);
    EXPECT_NUMBER(closer.called_after, 0);
    EXPECT_OK(outer);
    EXPECT_REFUSED(unwrap(closer.ctx, wires[0]), "libsds error: invalid context");
    close_context(alice);
}

/* A host that hands over to the journal from inside its first event. */
struct successor {
    void *ctx;
    struct journal *journal;
    int heard;
};

static void hand_over(int code, const char *text, size_t length, void *userData)
{
    struct successor *successor = userData;

    (void)code;
    (void)text;
    (void)length;
    successor->heard++;
    SdsSetEventCallback(successor->ctx, journal_event, successor->journal);
}

static void the_event_callback_may_be_replaced_inside_an_event(void)
{
    void *alice = open_context("alice", NULL);
    struct successor successor = {open_context("bob", NULL), new_journal(), 0};
    struct bytes first, second;

    first = wrapped(alice, "channel", "m1", "one");
    second = wrapped(alice, "channel", "m2", "two");
    unwrapped(successor.ctx, second);
    SdsSetEventCallback(successor.ctx, count_calls, NULL);
    SdsSetEventCallback(successor.ctx, hand_over, &successor);
    unwrapped(successor.ctx, first);
    EXPECT_NUMBER(successor.heard, 1);
    EXPECT_NUMBER(successor.journal->count, 1);
    EXPECT_NUMBER(journal_count(successor.journal, "message_ready", "m2"), 1);
    close_context(alice);
    close_context(successor.ctx);
}

/* A provider runs while its channel is locked, so it may call nothing; but trying to must not hang. */
struct curious_provider {
    void *ctx;
    int asked;
};

static void call_everything(const char *messageId, char **hint, size_t *hintLen, void *userData)
{
    struct curious_provider *provider = userData;
    int i;

    (void)messageId;
    (void)hint;
    (void)hintLen;
    provider->asked++;
    for (i = 0; i < OPERATION_COUNT; i++) {
        struct answer answer = {0};

        answer.returned = operations[i].call(provider->ctx, take_answer, &answer);
        EXPECT_REFUSED(answer, NULL);
        EXPECT(answer.text != NULL && strncmp(answer.text, "libsds error: ", 14) == 0);
    }
    SdsSetEventCallback(provider->ctx, NULL, NULL);
    SdsSetRetrievalHintProvider(provider->ctx, NULL, NULL);
    EXPECT(SdsNewReliabilityManager(count_calls, NULL) == NULL);
}

static void calls_from_inside_a_hint_provider_are_refused(void)
{
    struct curious_provider provider = {open_context("alice", NULL), 0};

    SdsSetRetrievalHintProvider(provider.ctx, call_everything, &provider);
    wrapped(provider.ctx, "channel", "m1", "one");
    wrapped(provider.ctx, "channel", "m2", "two");
    EXPECT(provider.asked > 0);
    SdsSetRetrievalHintProvider(provider.ctx, NULL, NULL);
    close_context(provider.ctx);
}

static void open_and_close_another(int code, const char *text, size_t length, void *userData)
{
    void *ctx = open_context("inner", NULL);

    (void)code;
    (void)text;
    (void)length;
    wrapped(ctx, "channel", "m1", "content");
    close_context(ctx);
    ++*(int *)userData;
}

static void contexts_may_be_created_and_closed_inside_callbacks(void)
{
    void *ctx = open_context("alice", NULL), *second;
    int done = 0;

    SdsStartPeriodicTasks(ctx, open_and_close_another, &done);
    EXPECT_NUMBER(done, 1);
    second = SdsNewReliabilityManager(open_and_close_another, &done);
    EXPECT_NUMBER(done, 2);
    SdsCleanupReliabilityManager(second, open_and_close_another, &done);
    EXPECT_NUMBER(done, 3);
    close_context(ctx);
}

/* Two contexts, two threads: each calls its context, whose callback calls the other's, whose callback counts. */
struct crossing {
    void *near;
    void *far;
    int rounds;
    atomic_int *reached;
};

static void cross_over(int code, const char *text, size_t length, void *userData)
{
    struct crossing *crossing = userData;

    (void)text;
    (void)length;
    EXPECT_NUMBER(code, RET_OK);
    SdsStartPeriodicTasks(crossing->far, count_calls, crossing->reached);
}

static void *cross_often(void *argument)
{
    struct crossing *crossing = argument;
    int i;

    for (i = 0; i < crossing->rounds; i++)
        SdsStartPeriodicTasks(crossing->near, cross_over, crossing);
    return NULL;
}

static void two_contexts_may_call_each_other_from_two_threads(void)
{
    atomic_int reached = 0;
    int rounds = scaled(20000);
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct crossing there = {alice, bob, rounds, &reached}, back = {bob, alice, rounds, &reached};
    pthread_t threads[2];

    pthread_create(&threads[0], NULL, cross_often, &there);
    pthread_create(&threads[1], NULL, cross_often, &back);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    EXPECT_NUMBER(atomic_load(&reached), 2 * rounds);
    close_context(alice);
    close_context(bob);
}

/* The certain form of the same: both are inside their callbacks before either crosses over. */
static pthread_barrier_t both_inside;

static void meet_and_cross_over(int code, const char *text, size_t length, void *userData)
{
    pthread_barrier_wait(&both_inside);
    cross_over(code, text, length, userData);
}

static void *meet_once(void *argument)
{
    struct crossing *crossing = argument;

    SdsStartPeriodicTasks(crossing->near, meet_and_cross_over, crossing);
    return NULL;
}

static void two_callbacks_that_wait_for_each_others_context_get_on(void)
{
    atomic_int reached = 0;
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct crossing there = {alice, bob, 1, &reached}, back = {bob, alice, 1, &reached};
    pthread_t threads[2];

    pthread_barrier_init(&both_inside, NULL, 2);
    pthread_create(&threads[0], NULL, meet_once, &there);
    pthread_create(&threads[1], NULL, meet_once, &back);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    pthread_barrier_destroy(&both_inside);
    EXPECT_NUMBER(atomic_load(&reached), 2);
    close_context(alice);
    close_context(bob);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(a_result_may_wrap_on_its_own_context);
    RUN(message_ready_may_wrap_a_reply);
    RUN(an_event_may_call_another_context);
    RUN(every_operation_may_be_called_from_a_result);
    RUN(cleanup_inside_an_event_is_the_last_that_the_events_hear);
    RUN(the_event_callback_may_be_replaced_inside_an_event);
    RUN(calls_from_inside_a_hint_provider_are_refused);
    RUN(contexts_may_be_created_and_closed_inside_callbacks);
    RUN(two_contexts_may_call_each_other_from_two_threads);
    RUN(two_callbacks_that_wait_for_each_others_context_get_on);
    return expect_end();
}
