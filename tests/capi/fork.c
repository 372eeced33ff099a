/*
 * After fork the child has none of the library's threads: every call there
 * fails at once instead of hanging. The parent goes on.
 */
#include "operations.h"

#include <sys/wait.h>

static const char forked[] = "libsds error: used in a forked child process";

static void expect_constructor_fails(void *ctx, struct answer answer)
{
    EXPECT(ctx == NULL);
    EXPECT_NUMBER(answer.calls, 1);
    EXPECT_NUMBER(answer.code, RET_ERR);
    EXPECT_TEXT(answer.text, forked);
}

/* What the child finds; its exit status is the number of failed checks. */
static void check_in_child(void *ctx)
{
    struct answer answer = {0};
    struct json nothing = {NULL, NULL};
    struct journal *heard = new_journal();
    char *error = NULL;
    int i;

    alarm(20);
    for (i = 0; i < OPERATION_COUNT; i++) {
        memset(&answer, 0, sizeof answer);
        answer.returned = operations[i].call(ctx, take_answer, &answer);
        EXPECT_REFUSED(answer, forked);
    }
    memset(&answer, 0, sizeof answer);
    expect_constructor_fails(SdsNewReliabilityManager(take_answer, &answer), answer);
    memset(&answer, 0, sizeof answer);
    expect_constructor_fails(SdsNewReliabilityManagerWithConfig("carol", NULL, take_answer, &answer), answer);
    EXPECT(SdsNewReliabilityManager(NULL, NULL) == NULL);
    SdsSetEventCallback(ctx, journal_event, heard);
    SdsSetRetrievalHintProvider(ctx, NULL, NULL);
    EXPECT_NUMBER(SdsSetPersistence(ctx, NULL, NULL, NULL), SDS_ERR_FORKED);
    EXPECT_NUMBER(SdsSetPersistence(NULL, NULL, NULL, &error), SDS_ERR_FORKED);
    EXPECT_TEXT(error, forked);
    SdsFree(error);
    SdsLoadMeta(ctx, NULL, 0);
    SdsLoadMessage(ctx, NULL, 0);
    SdsLoadHint(ctx, NULL, NULL, 0);
    SdsFail(ctx, "reason");
    EXPECT(journal_find(heard, "message_ready", NULL).start == nothing.start);
    fflush(stdout);
    _exit(atomic_load(&expectations.failures) > 0 ? 1 : 0);
}

static void expect_child_succeeds(void *ctx)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0)
        check_in_child(ctx);
    EXPECT(child > 0);
    EXPECT_NUMBER(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status));
    EXPECT_NUMBER(WEXITSTATUS(status), 0);
}

static void a_child_is_told_at_once(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);

    unwrapped(bob, wrapped(alice, "channel", "m1", "one"));
    expect_child_succeeds(bob);
    unwrapped(bob, wrapped(alice, "channel", "m2", "two"));
    close_context(alice);
    close_context(bob);
}

/* The child inherits whatever locks the other threads hold at that moment. */
static atomic_int stop_traffic;

static void *make_traffic(void *ctx)
{
    int i;

    for (i = 0; !atomic_load(&stop_traffic); i++) {
        char id[32];

        snprintf(id, sizeof id, "t%d", i);
        SdsWrapOutgoingMessage(ctx, id, strlen(id), id, "channel", count_calls, NULL);
    }
    return NULL;
}

static void a_child_of_a_busy_parent_is_told_at_once(void)
{
    void *ctx = open_context("alice", "{" SMALL_FILTER ",\"syncMessageIntervalMs\":1,\"bufferSweepIntervalMs\":1,"
                                      "\"resendIntervalMs\":1}");
    pthread_t traffic[4];
    int i;

    SdsSetEventCallback(ctx, count_calls, NULL);
    EXPECT_DONE(start_tasks(ctx));
    atomic_store(&stop_traffic, 0);
    for (i = 0; i < 4; i++)
        pthread_create(&traffic[i], NULL, make_traffic, ctx);
    for (i = 0; i < scaled(20); i++)
        expect_child_succeeds(ctx);
    atomic_store(&stop_traffic, 1);
    for (i = 0; i < 4; i++)
        pthread_join(traffic[i], NULL);
    close_context(ctx);
}

static void fork_and_check(int code, const char *text, size_t length, void *userData)
{
    (void)code;
    (void)text;
    (void)length;
    expect_child_succeeds(userData);
}

static void a_child_forked_inside_a_callback_is_told_at_once(void)
{
    void *ctx = open_context("alice", NULL);

    EXPECT_NUMBER(SdsStartPeriodicTasks(ctx, fork_and_check, ctx), RET_OK);
    wrapped(ctx, "channel", "after", "content");
    close_context(ctx);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(a_child_is_told_at_once);
    RUN(a_child_of_a_busy_parent_is_told_at_once);
    RUN(a_child_forked_inside_a_callback_is_told_at_once);
    return expect_end();
}
