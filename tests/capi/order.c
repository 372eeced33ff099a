/*
 * Exactly one callback per call, on the calling thread, before the call
 * returns; the events of the operation come first, then its result.
 */
#include "operations.h"

/* EXPECT_ONE_RESULT: since `before`, the journal got some events and then one result, all on this thread. */
#define EXPECT_ONE_RESULT(journal, before) expect_one_result((journal), (before), __LINE__)

static void expect_one_result(struct journal *journal, size_t before, int line)
{
    size_t i, results = 0;

    for (i = before; i < journal->count; i++) {
        results += !journal->entries[i].is_event;
        expect_true(pthread_equal(journal->entries[i].thread, pthread_self()), "on the calling thread", __FILE__, line);
    }
    expect_number((long long)results, 1, "number of results", __FILE__, line);
    expect_true(journal->count > before && !journal->entries[journal->count - 1].is_event, "the result comes last",
                __FILE__, line);
}

static void every_operation_answers_before_it_returns(void)
{
    struct journal *journal = new_journal();
    void *ctx = open_context("alice", NULL);
    int i;

    SdsSetEventCallback(ctx, journal_event, journal);
    for (i = 0; i < OPERATION_COUNT; i++) {
        size_t before = journal->count;

        EXPECT_NUMBER(operations[i].call(ctx, journal_result, journal), RET_OK);
        EXPECT_ONE_RESULT(journal, before);
    }
}

static void refused_and_failed_calls_answer_once_too(void)
{
    struct journal *journal = new_journal();
    void *ctx = open_context("alice", NULL);
    size_t before = 0;
    int i;

    SdsSetEventCallback(ctx, journal_event, journal);
    for (i = 0; i < OPERATION_COUNT; i++) {
        before = journal->count;
        EXPECT_NUMBER(operations[i].call(NULL, journal_result, journal), RET_ERR);
        EXPECT_ONE_RESULT(journal, before);
    }
    before = journal->count;
    SdsUnwrapReceivedMessage(ctx, NULL, 0, journal_result, journal);
    EXPECT_ONE_RESULT(journal, before);
    before = journal->count;
    SdsWrapOutgoingMessage(ctx, NULL, 0, "m1", "channel", journal_result, journal);
    EXPECT_ONE_RESULT(journal, before);
    before = journal->count;
    EXPECT(SdsNewReliabilityManagerWithConfig("alice", "{", journal_result, journal) == NULL);
    EXPECT_ONE_RESULT(journal, before);
    close_context(ctx);
}

static void *every_operation_on_another_thread(void *unused)
{
    every_operation_answers_before_it_returns();
    return unused;
}

static void the_calling_thread_may_be_any(void)
{
    pthread_t thread;

    EXPECT_NUMBER(pthread_create(&thread, NULL, every_operation_on_another_thread, NULL), 0);
    pthread_join(thread, NULL);
}

/* m1 is what ten others wait for, directly or through one another. */
static void a_cascade_is_announced_in_order_before_its_result(void)
{
    enum { MESSAGES = 10 };
    struct journal *journal = new_journal();
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct bytes wires[MESSAGES];
    char id[32];
    size_t before;
    int i;

    for (i = 0; i < MESSAGES; i++) {
        snprintf(id, sizeof id, "m%d", i);
        wires[i] = wrapped(alice, "channel", id, "content");
    }
    SdsSetEventCallback(bob, journal_event, journal);
    for (i = MESSAGES - 1; i >= 0; i--) {
        before = journal->count;
        SdsUnwrapReceivedMessage(bob, wires[i].data, wires[i].length, journal_result, journal);
        EXPECT_ONE_RESULT(journal, before);
        EXPECT_NUMBER(journal->count - before, i > 0 ? 2 : MESSAGES + 1);
    }
    for (i = 0; i < MESSAGES; i++) {
        snprintf(id, sizeof id, "m%d", i);
        EXPECT(event_matches(journal->entries[before + (size_t)i], "message_ready", id));
    }
    close_context(alice);
    close_context(bob);
}

static void acknowledgements_come_before_the_result(void)
{
    struct journal *journal = new_journal();
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct bytes reply;

    SdsSetEventCallback(alice, journal_event, journal);
    unwrapped(bob, wrapped(alice, "channel", "m1", "one"));
    reply = wrapped(bob, "channel", "m2", "two");
    SdsUnwrapReceivedMessage(alice, reply.data, reply.length, journal_result, journal);
    EXPECT_ONE_RESULT(journal, 0);
    EXPECT_NUMBER(journal->count, 3);
    EXPECT(event_matches(journal->entries[0], "message_sent", "m1"));
    EXPECT(event_matches(journal->entries[1], "message_ready", "m2"));
    close_context(alice);
    close_context(bob);
}

static void user_data_is_handed_back_untouched(void)
{
    struct answer first = {0}, second = {0};
    void *ctx = open_context("alice", NULL);

    SdsStartPeriodicTasks(ctx, take_answer, &first);
    SdsStartPeriodicTasks(ctx, take_answer, &second);
    SdsStartPeriodicTasks(ctx, count_calls, NULL);
    EXPECT_NUMBER(first.calls, 1);
    EXPECT_NUMBER(second.calls, 1);
    close_context(ctx);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(every_operation_answers_before_it_returns);
    RUN(refused_and_failed_calls_answer_once_too);
    RUN(the_calling_thread_may_be_any);
    RUN(a_cascade_is_announced_in_order_before_its_result);
    RUN(acknowledgements_come_before_the_result);
    RUN(user_data_is_handed_back_untouched);
    return expect_end();
}
