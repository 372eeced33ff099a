/*
 * Persistence by the host: a restart loses nothing, what is called when and with
 * what, and what a failure of each procedure does.
 */
#include "database.h"
#include "payload.h"

static struct answer reset(void *ctx)
{
    struct answer answer = {0};

    answer.returned = SdsResetReliabilityManager(ctx, take_answer, &answer);
    return answer;
}

static void note_event(int code, const char *text, size_t length, void *userData)
{
    struct json event = json_parse(text, length);
    char line[128];

    EXPECT_NUMBER(code, RET_OK);
    snprintf(line, sizeof line, "event %.40s %.40s\n", json_string(json_get(event, "eventType")),
             json_string(json_get(event, "messageId")));
    note(userData, line);
}

static void note_result(int code, const char *text, size_t length, void *userData)
{
    (void)text;
    (void)length;
    note(userData, code == RET_OK ? "result\n" : "error\n");
}

/* ---- a restart --------------------------------------------------------------- */

static void the_clock_does_not_go_back_over_a_restart(void)
{
    int with_commit;

    FOR_BOTH_KINDS(with_commit) {
        struct database *database = new_database(with_commit);
        void *alice = open_kept(database, "alice", NULL), *bob = open_context("bob", NULL);
        long long ahead = (long long)time(NULL) + 1800;
        struct payload early = {0};
        struct json heard;

        payload_text(&early, 1, "m1");
        payload_number(&early, 2, (uint64_t)ahead);
        payload_text(&early, 4, "c");
        payload_text(&early, 5, "x");
        unwrapped(alice, payload_view(&early));
        alice = reopen(alice, database, "alice", NULL);
        heard = unwrapped(bob, wrapped(alice, "c", "m2", "two"));
        EXPECT_NUMBER(json_number(json_get(heard, "lamportTimestamp")), ahead + 1);
        EXPECT_NUMBER(database_record(database, "c", "m1")->lamport, ahead);
        EXPECT_NUMBER(database_record(database, "c", "m2")->lamport, ahead + 1);
        close_context(alice);
        close_context(bob);
        payload_free(&early);
    }
}

static void a_duplicate_is_known_after_a_restart(void)
{
    int with_commit;

    FOR_BOTH_KINDS(with_commit) {
        struct database *database = new_database(with_commit);
        void *alice = open_context("alice", NULL), *bob = open_kept(database, "bob", NULL);
        struct bytes wire = wrapped(alice, "c", "m1", "one");
        struct json again;

        EXPECT(!is_true(unwrapped(bob, wire), "duplicate"));
        bob = reopen(bob, database, "bob", NULL);
        SdsSetEventCallback(bob, note_event, database);
        again = unwrapped(bob, wire);
        EXPECT(is_true(again, "duplicate"));
        EXPECT_NOTES(database, "load c\ncommit c\n");
        close_context(alice);
        close_context(bob);
    }
}

static void what_waited_is_released_after_a_restart(void)
{
    int with_commit;

    FOR_BOTH_KINDS(with_commit) {
        struct database *database = new_database(with_commit);
        void *alice = open_context("alice", NULL), *bob = open_kept(database, "bob", NULL);
        struct bytes first = wrapped(alice, "c", "m1", "one"), second = wrapped(alice, "c", "m2", "two");

        EXPECT(is_true(unwrapped(bob, second), "buffered"));
        bob = reopen(bob, database, "bob", NULL);
        SdsSetEventCallback(bob, note_event, database);
        unwrapped(bob, first);
        EXPECT_NOTES(database, "load c\ncommit c +m1 +m2\nevent message_ready m1\nevent message_ready m2\n");
        close_context(alice);
        close_context(bob);
    }
}

static void what_was_not_acknowledged_is_resent_after_a_restart(void)
{
    static const char impatient[] = "{" SMALL_FILTER ",\"resendIntervalMs\":1,\"bufferSweepIntervalMs\":1}";
    int with_commit;

    FOR_BOTH_KINDS(with_commit) {
        struct database *database = new_database(with_commit);
        void *alice = open_kept(database, "alice", impatient), *bob = open_context("bob", NULL);
        struct journal *heard = new_journal();
        struct json resend;

        wrapped(alice, "c", "m1", "one");
        alice = reopen(alice, database, "alice", impatient);
        SdsSetEventCallback(alice, journal_event, heard);
        EXPECT_DONE(start_tasks(alice));
        wrapped(alice, "c", "m2", "two"); /* the first use of the channel loads it */
        resend = journal_wait(heard, "resend_ready", "m1");
        unwrapped(bob, read_base64(json_string(json_get(resend, "message"))));

        /* And an acknowledgement is understood as one. */
        unwrapped(alice, wrapped(bob, "c", "b1", "heard"));
        EXPECT_NUMBER(journal_count(heard, "message_sent", "m1"), 1);
        close_context(alice);
        close_context(bob);
    }
}

/* The hint with which somebody who has nothing is told of the nth missing dependency. */
static char *hint_of_dependency(struct bytes wire, size_t index)
{
    void *stranger = open_context("stranger", NULL);
    struct json dependency = json_at(json_get(unwrapped(stranger, wire), "missingDeps"), index);
    struct bytes hint = read_base64(json_string(json_get(dependency, "retrievalHint")));

    close_context(stranger);
    return scratch_copy(hint.length > 0 ? (const char *)hint.data : "", hint.length);
}

static void hints_are_kept_over_a_restart(void)
{
    int with_commit;

    FOR_BOTH_KINDS(with_commit) {
        struct database *database = new_database(with_commit);
        void *alice = open_kept(database, "alice", NULL);

        SdsSetRetrievalHintProvider(alice, give_hint, NULL);
        wrapped(alice, "c", "m1", "one");
        wrapped(alice, "c", "m2", "two");
        EXPECT_NOTES(database, "load c\ncommit c +m1\ncommit c +m2\nhint c m1=at:m1\n");
        alice = reopen(alice, database, "alice", NULL);
        EXPECT_TEXT(hint_of_dependency(wrapped(alice, "c", "m3", "three"), 0), "at:m1");
        close_context(alice);
    }
}

static void a_host_may_leave_hints_out(void)
{
    int with_commit;

    FOR_BOTH_KINDS(with_commit) {
        struct database *database = new_database(with_commit);
        void *alice;

        database->procedures.setRetrievalHint = NULL;
        alice = open_kept(database, "alice", NULL);
        SdsSetRetrievalHintProvider(alice, give_hint, NULL);
        wrapped(alice, "c", "m1", "one");
        wrapped(alice, "c", "m2", "two");
        EXPECT_NOTES(database, "load c\ncommit c +m1\ncommit c +m2\n");
        alice = reopen(alice, database, "alice", NULL);
        EXPECT_TEXT(hint_of_dependency(wrapped(alice, "c", "m3", "three"), 0), "");
        close_context(alice);
    }
}

static void what_was_declared_met_stays_met_over_a_restart(void)
{
    int with_commit;

    FOR_BOTH_KINDS(with_commit) {
        struct database *database = new_database(with_commit);
        void *alice = open_context("alice", NULL), *bob = open_kept(database, "bob", NULL);
        static char m1[] = "m1", *met[] = {m1};
        struct bytes second;

        wrapped(alice, "c", "m1", "one");
        second = wrapped(alice, "c", "m2", "two");
        wrapped(bob, "c", "b1", "so that there is the channel");
        EXPECT_DONE(mark_met(bob, "c", met, 1));
        bob = reopen(bob, database, "bob", NULL);
        EXPECT(!is_true(unwrapped(bob, second), "buffered"));
        close_context(alice);
        close_context(bob);
    }
}

static void a_restart_on_an_empty_database_is_a_first_start(void)
{
    struct database *database = new_database(1);
    void *alice = open_kept(database, "alice", NULL), *bob = open_context("bob", NULL);

    EXPECT_NUMBER(json_count(json_get(unwrapped(bob, wrapped(alice, "c", "m1", "one")), "missingDeps")), 0);
    close_context(alice);
    close_context(bob);
}

/* ---- what is called when ------------------------------------------------------- */

static void every_operation_calls_exactly_what_it_must(void)
{
    int with_commit;

    FOR_BOTH_KINDS(with_commit) {
        struct database *database = new_database(with_commit);
        void *alice = open_context("alice", NULL), *bob = open_kept(database, "bob", "{\"maxMessageHistory\":4}");
        static char m4[] = "m4", *met[] = {m4};
        struct bytes wires[8];
        int i;

        for (i = 1; i < 8; i++) {
            char id[] = {'m', (char)('0' + i), '\0'};
            wires[i] = wrapped(alice, "c", id, id);
        }
        EXPECT_NOTES(database, "");

        unwrapped(bob, wires[1]); /* the first of its channel */
        EXPECT_NOTES(database, "load c\ncommit c +m1\n");
        unwrapped(bob, wires[1]); /* a duplicate */
        EXPECT_NOTES(database, "commit c\n");
        unwrapped(bob, wires[3]); /* waits for m2 */
        EXPECT_NOTES(database, "commit c\n");
        unwrapped(bob, wires[3]); /* still */
        EXPECT_NOTES(database, "commit c\n");
        unwrapped(bob, wires[2]); /* releases m3 */
        EXPECT_NOTES(database, "commit c +m2 +m3\n");
        unwrapped(bob, wires[5]); /* waits for m4, which is declared met */
        EXPECT_NOTES(database, "commit c\n");
        EXPECT_DONE(mark_met(bob, "c", met, 1));
        EXPECT_NOTES(database, "commit c +m5\n");
        wrapped(bob, "c", "b1", "mine"); /* the fifth where four have room */
        EXPECT_NOTES(database, "commit c +b1 -m1\n");
        EXPECT_NUMBER(database_log_length(database, "c"), 4);

        EXPECT_FAILED(wrap(bob, "c", "b2", ""), "error processing WRAP_MESSAGE request: reInvalidArgument");
        EXPECT_FAILED(unwrap(bob, (struct bytes){(unsigned char *)"no", 2}),
                      "error processing UNWRAP_MESSAGE request: reDeserializationError");
        EXPECT_FAILED(mark_met(bob, "unknown", met, 1),
                      "error processing MARK_DEPENDENCIES_MET request: reInvalidArgument");
        EXPECT_DONE(start_tasks(bob));
        EXPECT_NOTES(database, "");

        EXPECT_DONE(remove_channel(bob, "c"));
        EXPECT_NOTES(database, "drop c\n");
        EXPECT(database_find(database, "c") == NULL);
        EXPECT_DONE(remove_channel(bob, "unknown"));
        EXPECT_NOTES(database, "drop unknown\n");
        wrapped(bob, "two", "b3", "x");
        wrapped(bob, "one", "b4", "x");
        EXPECT_NOTES(database, "load two\ncommit two +b3\nload one\ncommit one +b4\n");
        EXPECT_DONE(reset(bob));
        EXPECT_NOTES(database, "drop one\ndrop two\n");
        EXPECT_DONE(reset(bob));
        close_context(bob);
        EXPECT_NOTES(database, "");
        close_context(alice);
    }
}

static void an_operation_saves_before_its_first_event(void)
{
    int with_commit;

    FOR_BOTH_KINDS(with_commit) {
        struct database *database = new_database(with_commit);
        void *alice = open_context("alice", NULL), *bob = open_kept(database, "bob", NULL);
        struct bytes first = wrapped(alice, "c", "m1", "one"), second = wrapped(alice, "c", "m2", "two");

        SdsSetEventCallback(bob, note_event, database);
        SdsUnwrapReceivedMessage(bob, second.data, second.length, note_result, database);
        SdsUnwrapReceivedMessage(bob, first.data, first.length, note_result, database);
        EXPECT_NOTES(database, "load c\ncommit c\nevent missing_dependencies m2\nresult\n"
                               "commit c +m1 +m2\nevent message_ready m1\nevent message_ready m2\nresult\n");
        close_context(alice);
        close_context(bob);
    }
}

static void the_timers_save_what_they_change(void)
{
    int with_commit;

    FOR_BOTH_KINDS(with_commit) {
        struct database *database = new_database(with_commit);
        void *alice = open_kept(database, "alice", "{" SMALL_FILTER ",\"resendIntervalMs\":1,\"bufferSweepIntervalMs\":1,"
                                                   "\"maxResendAttempts\":1}");
        struct journal *heard = new_journal();
        const char *expected = as_saved(database, "load c\ncommit c +m1\ncommit c\ncommit c\n");
        char *notes;

        SdsSetEventCallback(alice, journal_event, heard);
        wrapped(alice, "c", "m1", "one");
        EXPECT_DONE(start_tasks(alice));
        journal_wait(heard, "message_delivery_failed", "m1");
        close_context(alice);
        notes = take_notes(database);
        EXPECT_TEXT(notes, expected); /* one save for the resend, one for giving up */
    }
}

/* Where the procedures run. */
struct threads {
    pthread_t operation;
    int here;
    int elsewhere;
};

static int note_thread(struct database *database, SdsCall *call, enum procedure procedure)
{
    struct threads *threads = database->hook_argument;

    (void)call;
    (void)procedure;
    if (pthread_equal(threads->operation, pthread_self()))
        threads->here++;
    else
        threads->elsewhere++;
    return 0;
}

static void procedures_run_on_the_thread_of_the_operation_or_the_timers(void)
{
    struct threads threads = {pthread_self(), 0, 0};
    struct database *database = new_database(0);
    void *alice = open_kept(database, "alice", "{" SMALL_FILTER ",\"resendIntervalMs\":1,\"bufferSweepIntervalMs\":1,"
                                               "\"maxResendAttempts\":1}");
    struct journal *heard = new_journal();

    database->hook = note_thread;
    database->hook_argument = &threads;
    SdsSetRetrievalHintProvider(alice, give_hint, NULL);
    SdsSetEventCallback(alice, journal_event, heard);
    wrapped(alice, "d", "m1", "one");
    wrapped(alice, "d", "m2", "two");
    EXPECT_DONE(remove_channel(alice, "d"));
    wrapped(alice, "c", "m1", "one");
    EXPECT_NUMBER(threads.here, 10);
    EXPECT_NUMBER(threads.elsewhere, 0);
    EXPECT_DONE(start_tasks(alice));
    journal_wait(heard, "message_delivery_failed", "m1");
    close_context(alice);
    EXPECT_NUMBER(threads.here, 10);
    EXPECT_NUMBER(threads.elsewhere, 2);
}

/* ---- failing -------------------------------------------------------------------- */

static void fail(struct database *database, enum procedure procedure, int returned, const char *words)
{
    database->faults[procedure].returned = returned;
    database->faults[procedure].words = words;
    database->faults[procedure].times = 1;
}

static void a_failing_load_reaches_the_caller_in_the_words_of_the_host(void)
{
    struct database *database = new_database(1);
    void *alice = open_context("alice", NULL), *bob = open_kept(database, "bob", NULL);
    struct bytes wire = wrapped(alice, "c", "m1", "one");
    struct answer answer;

    fail(database, LOAD, 1, "the disk is on fire");
    answer = unwrap(bob, wire);
    EXPECT_FAILED(answer, NULL);
    EXPECT_TEXT(answer.text, "error processing UNWRAP_MESSAGE request: rePersistenceError: the disk is on fire");
    fail(database, LOAD, 5, NULL);
    answer = unwrap(bob, wire);
    EXPECT_FAILED(answer, NULL);
    EXPECT_TEXT(answer.text, "error processing UNWRAP_MESSAGE request: rePersistenceError: loadChannel returned 5");
    fail(database, LOAD, -1, NULL);
    answer = wrap(bob, "c", "b1", "content");
    EXPECT_FAILED(answer, NULL);
    EXPECT_TEXT(answer.text, "error processing WRAP_MESSAGE request: rePersistenceError: loadChannel returned -1");
    EXPECT_NOTES(database, "load c !\nload c !\nload c !\n");

    /* Nothing of it stays. */
    EXPECT(!is_true(unwrapped(bob, wire), "duplicate"));
    EXPECT_NOTES(database, "load c\ncommit c +m1\n");
    close_context(alice);
    close_context(bob);
}

static void a_failing_drop_fails_the_removal_and_the_channel_stays(void)
{
    struct database *database = new_database(1);
    void *alice = open_kept(database, "alice", NULL);
    struct answer answer;

    wrapped(alice, "c", "m1", "one");
    wrapped(alice, "d", "m1", "one");
    fail(database, DROP, 1, "the disk is on fire");
    answer = remove_channel(alice, "c");
    EXPECT_FAILED(answer, NULL);
    EXPECT_TEXT(answer.text, "error processing REMOVE_CHANNEL request: rePersistenceError: the disk is on fire");
    fail(database, DROP, 7, NULL);
    answer = reset(alice);
    EXPECT_FAILED(answer, NULL);
    EXPECT_TEXT(answer.text,
                "error processing RESET_RELIABILITY_MANAGER request: rePersistenceError: dropChannel returned 7");
    take_notes(database);
    EXPECT_DONE(mark_met(alice, "c", NULL, 0));
    EXPECT_DONE(mark_met(alice, "d", NULL, 0));
    EXPECT_DONE(remove_channel(alice, "c"));
    EXPECT_NOTES(database, "commit c\ncommit d\ndrop c\n");
    close_context(alice);
}

static void a_failing_save_fails_nothing_and_is_caught_up(void)
{
    struct database *database = new_database(0);
    void *alice = open_context("alice", NULL), *bob = open_kept(database, "bob", NULL);
    struct bytes first = wrapped(alice, "c", "m1", "one"), second = wrapped(alice, "c", "m2", "two");
    struct bytes meta;

    SdsSetEventCallback(bob, note_event, database);
    fail(database, SAVE_META, 1, "no");
    unwrapped(bob, first);
    EXPECT_TEXT(take_notes(database), "load c\nmeta c !\nupdate c +m1\nevent message_ready m1\n");
    fail(database, UPDATE_HISTORY, 1, NULL);
    unwrapped(bob, second);
    EXPECT_TEXT(take_notes(database), "meta c\nupdate c +m2 !\nevent message_ready m2\n");
    meta = database_channel(database, "c")->meta;
    EXPECT(meta.length > 0);
    EXPECT_NUMBER(database_log_length(database, "c"), 1);
    unwrapped(bob, second);
    EXPECT_TEXT(take_notes(database), "meta c\nupdate c +m2\n");
    EXPECT_NUMBER(database_log_length(database, "c"), 2);
    close_context(alice);
    close_context(bob);
}

static void a_failing_commit_fails_nothing_and_is_caught_up(void)
{
    struct database *database = new_database(1);
    void *alice = open_context("alice", NULL), *bob = open_kept(database, "bob", NULL);
    struct bytes first = wrapped(alice, "c", "m1", "one"), second = wrapped(alice, "c", "m2", "two");

    SdsSetEventCallback(bob, note_event, database);
    fail(database, COMMIT, 1, "no");
    unwrapped(bob, first);
    EXPECT_TEXT(take_notes(database), "load c\ncommit c +m1 !\nevent message_ready m1\n");
    EXPECT_NUMBER(database_log_length(database, "c"), 0);
    unwrapped(bob, second);
    EXPECT_TEXT(take_notes(database), "commit c +m1 +m2\nevent message_ready m2\n");
    unwrapped(bob, second);
    EXPECT_TEXT(take_notes(database), "commit c\n");
    close_context(alice);
    close_context(bob);
}

static void a_hint_that_was_not_kept_comes_again(void)
{
    struct database *database = new_database(0);
    void *alice = open_kept(database, "alice", NULL);

    SdsSetRetrievalHintProvider(alice, give_hint, NULL);
    wrapped(alice, "c", "m1", "one");
    take_notes(database);
    fail(database, SET_HINT, 1, "no");
    wrapped(alice, "c", "m2", "two");
    EXPECT_TEXT(take_notes(database), "meta c\nupdate c +m2\nhint c m1=at:m1 !\n");
    EXPECT_DONE(mark_met(alice, "c", NULL, 0));
    EXPECT_TEXT(take_notes(database), "meta c\nhint c m1=at:m1\n");
    EXPECT_DONE(mark_met(alice, "c", NULL, 0));
    EXPECT_TEXT(take_notes(database), "meta c\n");
    close_context(alice);

    /* After a commit, which is not repeated for it. */
    database = new_database(1);
    alice = open_kept(database, "alice", NULL);
    SdsSetRetrievalHintProvider(alice, give_hint, NULL);
    wrapped(alice, "c", "m1", "one");
    take_notes(database);
    fail(database, SET_HINT, 1, "no");
    wrapped(alice, "c", "m2", "two");
    EXPECT_TEXT(take_notes(database), "commit c +m2\nhint c m1=at:m1 !\n");
    fail(database, SET_HINT, 1, "no"); /* which does not hold up the hint after it */
    wrapped(alice, "c", "m3", "three");
    EXPECT_TEXT(take_notes(database), "commit c +m3\nhint c m1=at:m1 !\nhint c m2=at:m2\n");
    EXPECT_DONE(mark_met(alice, "c", NULL, 0));
    EXPECT_TEXT(take_notes(database), "commit c\nhint c m1=at:m1\n");
    EXPECT_DONE(mark_met(alice, "c", NULL, 0));
    EXPECT_TEXT(take_notes(database), "commit c\n");
    close_context(alice);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(the_clock_does_not_go_back_over_a_restart);
    RUN(a_duplicate_is_known_after_a_restart);
    RUN(what_waited_is_released_after_a_restart);
    RUN(what_was_not_acknowledged_is_resent_after_a_restart);
    RUN(hints_are_kept_over_a_restart);
    RUN(a_host_may_leave_hints_out);
    RUN(what_was_declared_met_stays_met_over_a_restart);
    RUN(a_restart_on_an_empty_database_is_a_first_start);
    RUN(every_operation_calls_exactly_what_it_must);
    RUN(an_operation_saves_before_its_first_event);
    RUN(the_timers_save_what_they_change);
    RUN(procedures_run_on_the_thread_of_the_operation_or_the_timers);
    RUN(a_failing_load_reaches_the_caller_in_the_words_of_the_host);
    RUN(a_failing_drop_fails_the_removal_and_the_channel_stays);
    RUN(a_failing_save_fails_nothing_and_is_caught_up);
    RUN(a_failing_commit_fails_nothing_and_is_caught_up);
    RUN(a_hint_that_was_not_kept_comes_again);
    return expect_end();
}
