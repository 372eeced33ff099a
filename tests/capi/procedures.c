/*
 * The procedures of a host, and what a host can get wrong in there: nothing that
 * it hands over, calls or sets may crash, hang or leak.
 */
#include "database.h"
#include "operations.h"
#include "payload.h"

#include <sys/mman.h>
#include <sys/wait.h>

/* ---- handing over ---------------------------------------------------------------- */

/* What a hook hands over or says; it concerns loadChannel unless a rule says otherwise. */
struct script {
    enum procedure in;
    void (*act)(SdsCall *call);
    int returned;
};

static int act_out(struct database *database, SdsCall *call, enum procedure procedure)
{
    struct script *script = database->hook_argument;

    if (procedure != script->in)
        return 0;
    script->act(call);
    return script->returned;
}

/* The error of a load in which `act` happens, without what comes before the words; "" where it succeeds. */
static const char *load_error(void (*act)(SdsCall *call), int returned)
{
    static const char prefix[] = "error processing WRAP_MESSAGE request: rePersistenceError: ";
    struct database *database = new_database(1);
    struct script script = {LOAD, act, returned};
    void *ctx = open_kept(database, "alice", NULL);
    struct answer answer;

    database->hook = act_out;
    database->hook_argument = &script;
    answer = wrap(ctx, "c", "m1", "content");
    close_context(ctx);
    if (answer.code == RET_OK)
        return "";
    EXPECT_FAILED(answer, NULL);
    EXPECT(strncmp(answer.text, prefix, sizeof prefix - 1) == 0);
    return strlen(answer.text) < sizeof prefix ? answer.text : answer.text + sizeof prefix - 1;
}

static void say_nothing(SdsCall *call) { (void)call; }
static void say_null(SdsCall *call) { SdsFail(call, NULL); }
static void say_empty(SdsCall *call) { SdsFail(call, ""); }
static void say_twice(SdsCall *call)
{
    SdsFail(call, "first");
    SdsFail(call, "second");
    SdsFail(call, NULL);
}
static void say_in_any_language(SdsCall *call) { SdsFail(call, "\xd0\xb4\xd0\xb8\xd1\x81\xd0\xba \xf0\x9f\x94\xa5"); }
static void say_no_utf8(SdsCall *call) { SdsFail(call, "disk \xff\xfe 7"); }

static char long_reason[3000];

static void say_much(SdsCall *call) { SdsFail(call, long_reason); }

static void the_last_reason_counts_and_only_for_a_failure(void)
{
    EXPECT_TEXT(load_error(say_nothing, 5), "loadChannel returned 5");
    EXPECT_TEXT(load_error(say_null, 5), "loadChannel returned 5");
    EXPECT_TEXT(load_error(say_empty, 5), "loadChannel returned 5");
    EXPECT_TEXT(load_error(say_twice, 5), "second");
    EXPECT_TEXT(load_error(say_twice, 0), "");
}

static void a_reason_is_bounded_and_made_utf8(void)
{
    const char *told;
    size_t i;

    EXPECT_TEXT(load_error(say_in_any_language, 1), "\xd0\xb4\xd0\xb8\xd1\x81\xd0\xba \xf0\x9f\x94\xa5");
    EXPECT_TEXT(load_error(say_no_utf8, 1), "disk \xef\xbf\xbd 7");
    memset(long_reason, 'x', sizeof long_reason - 1);
    told = load_error(say_much, 1);
    EXPECT_NUMBER(strlen(told), 1024);

    /* The bound does not cut a character: 1024 is no multiple of three. */
    for (i = 0; i + 3 < sizeof long_reason; i += 3)
        memcpy(long_reason + i, "\xe2\x82\xac", 3);
    told = load_error(say_much, 1);
    EXPECT_NUMBER(strlen(told), 1023);
    EXPECT(strstr(told, "\xef\xbf\xbd") == NULL);
}

/* ---- what a host gets wrong -------------------------------------------------------- */

static const uint8_t some_bytes[] = {1, 2, 3};
static const uint8_t no_message[] = {0xff, 0xff, 0xff, 0xff};

static void meta_from_nowhere(SdsCall *call) { SdsLoadMeta(call, NULL, 5); }
static void message_from_nowhere(SdsCall *call) { SdsLoadMessage(call, NULL, 5); }
static void hint_from_nowhere(SdsCall *call) { SdsLoadHint(call, "m1", NULL, 5); }
static void endless_meta(SdsCall *call) { SdsLoadMeta(call, some_bytes, SIZE_MAX); }
static void endless_message(SdsCall *call) { SdsLoadMessage(call, some_bytes, ((size_t)1 << 30) + 1); }
static void long_hint(SdsCall *call) { SdsLoadHint(call, "m1", some_bytes, 4097); }
static void hint_for_null(SdsCall *call) { SdsLoadHint(call, NULL, some_bytes, sizeof some_bytes); }
static void hint_for_nobody(SdsCall *call) { SdsLoadHint(call, "", some_bytes, sizeof some_bytes); }
static void hint_for_no_utf8(SdsCall *call) { SdsLoadHint(call, "a\xff", some_bytes, sizeof some_bytes); }
static void hint_for_half_a_nul(SdsCall *call) { SdsLoadHint(call, "a\xc0", some_bytes, sizeof some_bytes); }
static void no_meta(SdsCall *call) { SdsLoadMeta(call, NULL, 0); }
static void meta_at_no_address(SdsCall *call) { SdsLoadMeta(call, (const uint8_t *)(uintptr_t)1, 0); }
static void meta_twice(SdsCall *call)
{
    SdsLoadMeta(call, NULL, 0);
    SdsLoadMeta(call, NULL, 0);
}
static void several_mistakes(SdsCall *call)
{
    SdsLoadMessage(call, NULL, 5);
    SdsLoadMeta(call, NULL, 7);
    SdsLoadMessage(call, some_bytes, sizeof some_bytes);
}
static void a_mistake_and_words(SdsCall *call)
{
    SdsLoadMessage(call, NULL, 5);
    SdsFail(call, "words");
}
static void hint_for_an_unknown_message(SdsCall *call) { SdsLoadHint(call, "unknown", some_bytes, 3); }
static void garbage_for_a_meta(SdsCall *call) { SdsLoadMeta(call, no_message, sizeof no_message); }
static void garbage_for_a_message(SdsCall *call) { SdsLoadMessage(call, no_message, sizeof no_message); }
static void no_bytes_for_a_message(SdsCall *call) { SdsLoadMessage(call, NULL, 0); }
static void another_schema(SdsCall *call)
{
    static const uint8_t version_2[] = {0x08, 2, 0x10, 7};

    SdsLoadMeta(call, version_2, sizeof version_2);
}

static void a_load_that_cannot_be_fails_and_says_why(void)
{
    EXPECT_TEXT(load_error(meta_from_nowhere, 0), "SdsLoadMeta: the pointer is NULL but the length is 5");
    EXPECT_TEXT(load_error(message_from_nowhere, 0), "SdsLoadMessage: the pointer is NULL but the length is 5");
    EXPECT_TEXT(load_error(hint_from_nowhere, 0), "SdsLoadHint: the pointer is NULL but the length is 5");
    EXPECT_TEXT(load_error(endless_meta, 0),
                "SdsLoadMeta: a length of 18446744073709551615 bytes, more than 1073741824");
    EXPECT_TEXT(load_error(endless_message, 0), "SdsLoadMessage: a length of 1073741825 bytes, more than 1073741824");
    EXPECT_TEXT(load_error(long_hint, 0), "SdsLoadHint: a length of 4097 bytes, more than 4096");
    EXPECT_TEXT(load_error(hint_for_null, 0), "SdsLoadHint: message ID pointer is NULL");
    EXPECT_TEXT(load_error(hint_for_nobody, 0), "SdsLoadHint: message ID is empty string");
    EXPECT_TEXT(load_error(hint_for_no_utf8, 0), "SdsLoadHint: message ID is not valid UTF-8");
    EXPECT_TEXT(load_error(hint_for_half_a_nul, 0), "SdsLoadHint: message ID is not valid UTF-8");
    EXPECT_TEXT(load_error(meta_twice, 0), "SdsLoadMeta: called a second time");
    EXPECT_TEXT(load_error(several_mistakes, 0), "SdsLoadMessage: the pointer is NULL but the length is 5");

    /* The host's own words go before, a bare number does not. */
    EXPECT_TEXT(load_error(a_mistake_and_words, 5), "words");
    EXPECT_TEXT(load_error(a_mistake_and_words, 0), "SdsLoadMessage: the pointer is NULL but the length is 5");
    EXPECT_TEXT(load_error(several_mistakes, 5), "SdsLoadMessage: the pointer is NULL but the length is 5");
}

static void an_empty_meta_is_none_and_a_hint_for_nothing_is_dropped(void)
{
    EXPECT_TEXT(load_error(no_meta, 0), "");
    EXPECT_TEXT(load_error(meta_at_no_address, 0), "");
    EXPECT_TEXT(load_error(hint_for_an_unknown_message, 0), "");
}

static const char *endless_name;

static void hint_for_an_endless_name(SdsCall *call) { SdsLoadHint(call, endless_name, some_bytes, 3); }

/* A gibibyte of name, in one piece of 16 MiB that is mapped again and again. */
static void an_id_beyond_any_configuration_is_refused(void)
{
    enum { PIECE = 16 << 20, PIECES = 65, END = 4096 };
    FILE *file = tmpfile();
    int descriptor = file != NULL ? fileno(file) : -1;
    char *name, *piece;
    size_t i;

    if (!EXPECT(descriptor >= 0 && ftruncate(descriptor, PIECE + END) == 0))
        return;
    name = mmap(NULL, (size_t)PIECE * PIECES + END, PROT_READ, MAP_SHARED, descriptor, 0);
    piece = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (!EXPECT(name != MAP_FAILED && piece != MAP_FAILED))
        return;
    memset(piece, 'i', PIECE);
    for (i = 0; i < PIECES; i++)
        EXPECT(mmap(name + i * PIECE, PIECE, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0) != MAP_FAILED);
    EXPECT(mmap(name + i * PIECE, END, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, PIECE) != MAP_FAILED);
    endless_name = name;
    EXPECT_TEXT(load_error(hint_for_an_endless_name, 0), "SdsLoadHint: message ID has more than 1073741824 bytes");
    munmap(name, (size_t)PIECE * PIECES + END);
    munmap(piece, PIECE);
    fclose(file);
}

#define DAMAGED "what is kept of the channel is damaged: "

static int begins(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

static struct bytes cut;

static void a_cut_meta(SdsCall *call) { SdsLoadMeta(call, cut.data, cut.length); }
static void a_cut_message(SdsCall *call) { SdsLoadMessage(call, cut.data, cut.length); }

/* How many of the proper beginnings of a blob load; the others must say that it is damaged. */
static size_t cuts_that_load(struct bytes whole, void (*act)(SdsCall *call))
{
    size_t loaded = 0;

    for (cut.length = 1; cut.length < whole.length; cut.length++) {
        const char *error;

        cut.data = (unsigned char *)scratch_copy((char *)whole.data, cut.length);
        error = load_error(act, 0);
        loaded += *error == '\0';
        EXPECT(*error == '\0' || begins(error, DAMAGED));
    }
    return loaded;
}

static void damage_is_named_and_never_skipped(void)
{
    struct database *database = new_database(1);
    void *alice = open_kept(database, "alice", NULL);
    struct database_channel *channel;

    EXPECT(begins(load_error(garbage_for_a_meta, 0), DAMAGED "malformed snapshot: "));
    EXPECT(begins(load_error(another_schema, 0), DAMAGED "unknown schema version of a snapshot: it is of version 2"));
    EXPECT(begins(load_error(garbage_for_a_message, 0), DAMAGED "history message 0: "));
    EXPECT(begins(load_error(no_bytes_for_a_message, 0), DAMAGED "history message 0: "));

    wrapped(alice, "c", "m1", "one");
    close_context(alice);
    channel = database_channel(database, "c");
    /* A cut between two fields cannot be seen; in a message, not before it has a channel. */
    EXPECT(cuts_that_load(channel->meta, a_cut_meta) <= 2);
    EXPECT(cuts_that_load(channel->records->message, a_cut_message) <= 2);
}

static void a_log_in_another_order_is_mended(void)
{
    struct database *database = new_database(1);
    void *alice = open_kept(database, "alice", NULL);
    struct database_record *record, *reversed = NULL, *next;
    struct json heard;
    char *ids[3];
    size_t i;

    wrapped(alice, "c", "m1", "one");
    wrapped(alice, "c", "m2", "two");
    wrapped(alice, "c", "m3", "three");
    close_context(alice);
    for (record = database_channel(database, "c")->records; record != NULL; record = next) {
        struct database_record *twice = scratch(sizeof *twice);

        next = record->next;
        *twice = *record;
        record->next = twice;
        twice->next = reversed;
        reversed = record;
    }
    database_channel(database, "c")->records = reversed;
    alice = open_kept(database, "alice", NULL);
    {
        void *bob = open_context("bob", NULL);

        heard = json_get(unwrapped(bob, wrapped(alice, "c", "m4", "four")), "missingDeps");
        close_context(bob);
    }
    EXPECT_NUMBER(json_count(heard), 3);
    for (i = 0; i < 3; i++)
        ids[i] = json_string(json_get(json_at(heard, i), "messageId"));
    EXPECT_TEXT(ids[0], "m1");
    EXPECT_TEXT(ids[1], "m2");
    EXPECT_TEXT(ids[2], "m3");
    close_context(alice);
}

static void load_from_the_wrong_procedure(SdsCall *call) { SdsLoadMeta(call, some_bytes, sizeof some_bytes); }

static void loading_from_another_procedure_fails_it(void)
{
    struct database *database = new_database(1);
    struct script script = {DROP, load_from_the_wrong_procedure, 0};
    void *alice = open_kept(database, "alice", NULL);
    struct answer answer;

    database->hook = act_out;
    database->hook_argument = &script;
    wrapped(alice, "c", "m1", "one");
    answer = remove_channel(alice, "c");
    EXPECT_FAILED(answer, NULL);
    EXPECT_TEXT(answer.text, "error processing REMOVE_CHANNEL request: rePersistenceError: "
                             "SdsLoadMeta: called from inside dropChannel");
    take_notes(database);

    /* The database has it, but the library does not believe so and offers it again. */
    script.in = COMMIT;
    wrapped(alice, "c", "m2", "two");
    script.in = PROCEDURE_COUNT;
    wrapped(alice, "c", "m3", "three");
    EXPECT_NOTES(database, "commit c +m2\ncommit c +m2 +m3\n");
    close_context(alice);
}

/* ---- calling back -------------------------------------------------------------------- */

/* A procedure that calls whatever there is, on its own context and on another one. */
struct caller {
    void *own;
    void *other;
    int called[PROCEDURE_COUNT];
};

static const char from_inside[] = "libsds error: called from inside a persistence procedure";

static void expect_everything_refused(void *ctx, const SdsPersistence *procedures)
{
    struct answer answer;
    int i;

    for (i = 0; i < OPERATION_COUNT; i++) {
        memset(&answer, 0, sizeof answer);
        answer.returned = operations[i].call(ctx, take_answer, &answer);
        EXPECT_REFUSED(answer, NULL);
        EXPECT_TEXT(answer.text, from_inside);
        EXPECT_NUMBER(operations[i].call(ctx, NULL, NULL), RET_ERR);
    }
    memset(&answer, 0, sizeof answer);
    EXPECT(SdsNewReliabilityManager(take_answer, &answer) == NULL);
    EXPECT_TEXT(answer.text, from_inside);
    EXPECT(SdsNewReliabilityManagerWithConfig("carol", NULL, take_answer, &answer) == NULL);
    EXPECT_NUMBER(answer.calls, 2);
    SdsSetEventCallback(ctx, NULL, NULL);
    SdsSetRetrievalHintProvider(ctx, NULL, NULL);
    EXPECT_NOT_SET(set_persistence(ctx, procedures, NULL), SDS_ERR_INVALID_ARGUMENT, from_inside);
    EXPECT_NUMBER(SdsSetPersistence(ctx, NULL, NULL, NULL), SDS_ERR_INVALID_ARGUMENT);
}

static int call_everything(struct database *database, SdsCall *call, enum procedure procedure)
{
    struct caller *caller = database->hook_argument;

    (void)call;
    caller->called[procedure]++;
    expect_everything_refused(caller->own, &database->procedures);
    expect_everything_refused(caller->other, &database->procedures);
    SdsFree(NULL);
    SdsFree(malloc(1));
    return 0;
}

static void calls_from_inside_every_procedure_are_refused(void)
{
    struct caller caller = {NULL, open_context("other", NULL), {0}};
    int with_commit;

    FOR_BOTH_KINDS(with_commit) {
        struct database *database = new_database(with_commit);

        caller.own = open_kept(database, "alice", NULL);
        SdsSetRetrievalHintProvider(caller.own, give_hint, NULL);
        SdsSetEventCallback(caller.own, count_calls, NULL);
        database->hook = call_everything;
        database->hook_argument = &caller;
        wrapped(caller.own, "c", "m1", "one");
        wrapped(caller.own, "c", "m2", "two");
        EXPECT_DONE(remove_channel(caller.own, "c"));
        database->hook = NULL;
        wrapped(caller.own, "c", "m3", "the thread is outside again");
        wrapped(caller.other, "c", "m3", "the thread is outside again");
        close_context(caller.own);
    }
    EXPECT_NUMBER(caller.called[LOAD], 2);
    EXPECT_NUMBER(caller.called[SAVE_META], 2);
    EXPECT_NUMBER(caller.called[UPDATE_HISTORY], 2);
    EXPECT_NUMBER(caller.called[COMMIT], 2);
    EXPECT_NUMBER(caller.called[SET_HINT], 2);
    EXPECT_NUMBER(caller.called[DROP], 2);
    close_context(caller.other);
}

static void call_from_provider(const char *messageId, char **hint, size_t *hintLen, void *userData)
{
    (void)messageId;
    (void)hint;
    (void)hintLen;
    EXPECT_NOT_SET(set_persistence(userData, NULL, NULL), SDS_ERR_INVALID_ARGUMENT,
                   "libsds error: called from inside a retrieval hint provider");
}

static void a_hint_provider_cannot_set_procedures(void)
{
    void *ctx = open_context("alice", NULL);

    SdsSetRetrievalHintProvider(ctx, call_from_provider, ctx);
    wrapped(ctx, "c", "m1", "one");
    wrapped(ctx, "c", "m2", "two");
    close_context(ctx);
}

/* ---- the call ----------------------------------------------------------------------- */

static SdsCall *kept_call;

static void keep_call(SdsCall *call) { kept_call = call; }

static void use_all(SdsCall *call)
{
    SdsLoadMeta(call, no_message, sizeof no_message);
    SdsLoadMessage(call, no_message, sizeof no_message);
    SdsLoadHint(call, NULL, some_bytes, sizeof some_bytes);
    SdsFail(call, "wrong");
}

static void use_wrong_calls(SdsCall *call)
{
    static long in_data[8];
    long on_stack[8] = {0};

    use_all(NULL);
    use_all(kept_call); /* of a procedure that returned */
    use_all((SdsCall *)(void *)in_data);
    use_all((SdsCall *)(void *)on_stack);
    use_all((SdsCall *)(uintptr_t)1);
    use_all((SdsCall *)UINTPTR_MAX);
    use_all((SdsCall *)((uintptr_t)call + 1));
    use_all((SdsCall *)((uintptr_t)call - 1));
}

static void a_call_that_is_none_is_ignored(void)
{
    EXPECT_TEXT(load_error(keep_call, 0), "");
    use_wrong_calls(kept_call); /* outside of all procedures */
    EXPECT_TEXT(load_error(use_wrong_calls, 0), "");
    EXPECT_TEXT(load_error(use_wrong_calls, 5), "loadChannel returned 5");
}

/* A host whose database is another thread's. */
static void *load_garbage(void *call)
{
    SdsLoadMeta(call, NULL, 0);
    SdsLoadMessage(call, no_message, sizeof no_message);
    return NULL;
}

static void *fail_there(void *call)
{
    SdsFail(call, "said by another thread");
    return NULL;
}

static void wait_for(void *(*body)(void *), SdsCall *call)
{
    pthread_t thread;

    EXPECT_NUMBER(pthread_create(&thread, NULL, body, call), 0);
    pthread_join(thread, NULL);
}

static void have_garbage_loaded(SdsCall *call) { wait_for(load_garbage, call); }
static void have_it_failed(SdsCall *call) { wait_for(fail_there, call); }

/* Several at once, each of them wrong in its own way. */
static void have_many_load(SdsCall *call)
{
    pthread_t threads[8];
    int i;

    for (i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, i % 2 == 0 ? load_garbage : fail_there, call);
    for (i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static void another_thread_may_hand_over_while_the_procedure_waits(void)
{
    EXPECT(begins(load_error(have_garbage_loaded, 0), DAMAGED "history message 0: "));
    EXPECT_TEXT(load_error(have_it_failed, 3), "said by another thread");
    EXPECT_TEXT(load_error(have_many_load, 3), "said by another thread");
}

/* ---- the table ------------------------------------------------------------------------ */

static struct setting set_on_new_context(const SdsPersistence *procedures, void *user_data)
{
    void *ctx = open_context("alice", NULL);
    struct setting setting = set_persistence(ctx, procedures, user_data);

    close_context(ctx);
    return setting;
}

static void a_missing_procedure_is_named(void)
{
    struct database *database = new_database(0);
    SdsPersistence all = database->procedures, table = all;

    EXPECT_SET(set_on_new_context(&all, database));
    table.loadChannel = NULL;
    EXPECT_NOT_SET(set_on_new_context(&table, database), SDS_ERR_INVALID_ARGUMENT,
                   "libsds error: SdsPersistence lacks loadChannel");
    table = all;
    table.dropChannel = NULL;
    EXPECT_NOT_SET(set_on_new_context(&table, database), SDS_ERR_INVALID_ARGUMENT,
                   "libsds error: SdsPersistence lacks dropChannel");
    table = all;
    table.saveChannelMeta = NULL;
    EXPECT_NOT_SET(set_on_new_context(&table, database), SDS_ERR_INVALID_ARGUMENT,
                   "libsds error: SdsPersistence lacks saveChannelMeta, and has no commit");
    table = all;
    table.updateHistory = NULL;
    EXPECT_NOT_SET(set_on_new_context(&table, database), SDS_ERR_INVALID_ARGUMENT,
                   "libsds error: SdsPersistence lacks updateHistory, and has no commit");
    table.commit = database_commit;
    EXPECT_SET(set_on_new_context(&table, database));
    table = all;
    table.setRetrievalHint = NULL;
    EXPECT_SET(set_on_new_context(&table, database));
}

static void a_table_of_another_size_is_read_as_far_as_it_goes(void)
{
    struct database *database = new_database(0);
    struct {
        SdsPersistence known;
        unsigned char later[64];
    } larger;
    SdsPersistence table = database->procedures;
    void *alice;

    table.size = 0;
    EXPECT_NOT_SET(set_on_new_context(&table, database), SDS_ERR_INVALID_ARGUMENT,
                   "libsds error: SdsPersistence has a size of 0, and needs at least 40");
    table.size = (uint32_t)offsetof(SdsPersistence, setRetrievalHint) - 1;
    EXPECT_NOT_SET(set_on_new_context(&table, database), SDS_ERR_INVALID_ARGUMENT,
                   "libsds error: SdsPersistence has a size of 39, and needs at least 40");

    /* Up to dropChannel: no hints. And what lies beyond, in part or as a whole, is not read. */
    memset(&table.setRetrievalHint, 0xff, sizeof table.setRetrievalHint + sizeof table.commit);
    for (table.size = (uint32_t)offsetof(SdsPersistence, setRetrievalHint);
         table.size < (uint32_t)offsetof(SdsPersistence, commit); table.size++) {
        alice = open_context("alice", NULL);
        EXPECT_SET(set_persistence(alice, &table, database));
        SdsSetRetrievalHintProvider(alice, give_hint, NULL);
        wrapped(alice, "c", "m1", "one");
        wrapped(alice, "c", "m2", "two");
        EXPECT_DONE(remove_channel(alice, "c"));
        EXPECT_TEXT(take_notes(database), "load c\nmeta c\nupdate c +m1\nmeta c\nupdate c +m2\ndrop c\n");
        close_context(alice);
    }

    memset(&larger, 0xff, sizeof larger);
    larger.known = database->procedures;
    larger.known.size = sizeof larger;
    alice = open_context("alice", NULL);
    EXPECT_SET(set_persistence(alice, &larger.known, database));
    wrapped(alice, "c", "m1", "one");
    EXPECT_TEXT(take_notes(database), "load c\nmeta c\nupdate c +m1\n");
    close_context(alice);
    larger.known.size = UINT32_MAX;
    EXPECT_SET(set_on_new_context(&larger.known, database));
}

static void the_table_is_copied(void)
{
    struct database *database = new_database(1);
    SdsPersistence *table = malloc(sizeof *table);
    void *alice = open_context("alice", NULL);

    *table = database->procedures;
    EXPECT_SET(set_persistence(alice, table, database));
    memset(table, 0xff, sizeof *table);
    free(table);
    wrapped(alice, "c", "m1", "one");
    EXPECT_NOTES(database, "load c\ncommit c +m1\n");
    close_context(alice);
}

static void procedures_are_set_before_the_first_channel_only(void)
{
    static const char too_late[] =
        "libsds error: there are channels already; set it before the first";
    struct database *first = new_database(1), *second = new_database(0);
    void *alice = open_context("alice", NULL);

    /* Until then the last that was set counts, and NULL is nothing. */
    EXPECT_SET(set_persistence(alice, &first->procedures, first));
    EXPECT_SET(set_persistence(alice, NULL, NULL));
    EXPECT_SET(set_persistence(alice, NULL, first));
    EXPECT_SET(set_persistence(alice, &first->procedures, first));
    EXPECT_SET(set_persistence(alice, &second->procedures, second));
    EXPECT_NUMBER(SdsSetPersistence(alice, &second->procedures, second, NULL), SDS_OK);
    wrapped(alice, "c", "m1", "one");
    EXPECT_TEXT(take_notes(first), "");
    EXPECT_TEXT(take_notes(second), "load c\nmeta c\nupdate c +m1\n");

    EXPECT_NOT_SET(set_persistence(alice, &first->procedures, first), SDS_ERR_INVALID_ARGUMENT, too_late);
    EXPECT_NOT_SET(set_persistence(alice, NULL, NULL), SDS_ERR_INVALID_ARGUMENT, too_late);
    EXPECT_NUMBER(SdsSetPersistence(alice, NULL, NULL, NULL), SDS_ERR_INVALID_ARGUMENT);
    wrapped(alice, "c", "m2", "two");
    EXPECT_TEXT(take_notes(second), "meta c\nupdate c +m2\n");
    close_context(alice);
}

static void one_keeper_is_enough(void)
{
    char folder[] = "/tmp/libsds-persistence-XXXXXX", config[128], path[64];
    struct database *database = new_database(1);
    struct setting setting;
    void *alice;

    if (!EXPECT(mkdtemp(folder) != NULL))
        return;
    snprintf(path, sizeof path, "%s/store", folder);
    snprintf(config, sizeof config, "{\"storePath\":\"%s\"}", path);
    alice = open_context("alice", config);
    setting = set_persistence(alice, &database->procedures, database);
    EXPECT_NUMBER(setting.status, SDS_ERR_INVALID_ARGUMENT);
    EXPECT(setting.error != NULL && strstr(setting.error, "storePath") != NULL);
    EXPECT_NUMBER(set_persistence(alice, NULL, NULL).status, SDS_ERR_INVALID_ARGUMENT);
    wrapped(alice, "c", "m1", "one");
    EXPECT_TEXT(take_notes(database), "");
    close_context(alice);
    EXPECT(unlink(path) == 0 && rmdir(folder) == 0);
}

static void nothing_is_kept_after_null(void)
{
    struct database *database = new_database(1);
    void *alice = open_kept(database, "alice", NULL);

    EXPECT_SET(set_persistence(alice, NULL, NULL));
    wrapped(alice, "c", "m1", "one");
    EXPECT_DONE(remove_channel(alice, "c"));
    EXPECT_TEXT(take_notes(database), "");
    close_context(alice);
}

static void a_wrong_context_gets_no_procedures(void)
{
    static const char invalid[] = "libsds error: invalid context";
    static long in_data[8];
    struct database *database = new_database(1);
    void *freed = open_context("alice", NULL);

    close_context(freed);
    EXPECT_NOT_SET(set_persistence(NULL, &database->procedures, database), SDS_ERR_INVALID_CONTEXT, invalid);
    EXPECT_NOT_SET(set_persistence(freed, &database->procedures, database), SDS_ERR_INVALID_CONTEXT, invalid);
    EXPECT_NOT_SET(set_persistence(freed, NULL, NULL), SDS_ERR_INVALID_CONTEXT, invalid);
    EXPECT_NOT_SET(set_persistence(in_data, &database->procedures, database), SDS_ERR_INVALID_CONTEXT, invalid);
    EXPECT_NOT_SET(set_persistence((void *)(uintptr_t)42, NULL, NULL), SDS_ERR_INVALID_CONTEXT, invalid);
    EXPECT_NUMBER(SdsSetPersistence(freed, NULL, NULL, NULL), SDS_ERR_INVALID_CONTEXT);
}

/* A host that learns from its first result, or event, where its database is. */
struct late_setter {
    void *ctx;
    struct database *database;
};

static void set_from_callback(int code, const char *text, size_t length, void *userData)
{
    struct late_setter *setter = userData;

    (void)code;
    (void)text;
    (void)length;
    EXPECT_SET(set_persistence(setter->ctx, &setter->database->procedures, setter->database));
}

static void *set_from_thread(void *userData)
{
    set_from_callback(RET_OK, "", 0, userData);
    return NULL;
}

static void procedures_may_be_set_from_inside_callbacks_and_from_any_thread(void)
{
    struct late_setter setter = {open_context("alice", NULL), new_database(1)};
    pthread_t thread;

    EXPECT_NUMBER(SdsStartPeriodicTasks(setter.ctx, set_from_callback, &setter), RET_OK);
    pthread_create(&thread, NULL, set_from_thread, &setter);
    pthread_join(thread, NULL);
    wrapped(setter.ctx, "c", "m1", "one");
    EXPECT_NOTES(setter.database, "load c\ncommit c +m1\n");
    close_context(setter.ctx);

    /* From an event, once the channel that it is of is gone again. */
    setter.ctx = open_context("alice", NULL);
    setter.database = new_database(0);
    EXPECT_OK(wrap(setter.ctx, "c", "m1", "one"));
    {
        void *bob = open_context("bob", NULL);

        unwrapped(setter.ctx, wrapped(bob, "c", "b1", "x"));
        close_context(bob);
    }
    EXPECT_DONE(remove_channel(setter.ctx, "c"));
    SdsSetEventCallback(setter.ctx, set_from_callback, &setter);
    wrapped(setter.ctx, "c", "m2", "two");
    EXPECT_TEXT(take_notes(setter.database), "load c\nmeta c\nupdate c +m2\n");
    close_context(setter.ctx);
}

/* ---- ids ---------------------------------------------------------------------------- */

static void hint_for_a_nul(SdsCall *call) { SdsLoadHint(call, "a\xc0\x80z", (const uint8_t *)"found", 5); }

static void an_id_with_a_nul_is_a_key_like_any_other(void)
{
    struct database *database = new_database(1);
    struct script script = {LOAD, hint_for_a_nul, 0};
    void *bob = open_kept(database, "bob", NULL), *carol = open_context("carol", NULL);
    struct payload with = {0}, without = {0}, met = {0};
    struct answer answer;
    struct json dependency;
    struct bytes wire;

    /* From a peer: the ids "a", NUL, "z" and "a" in the channel "c", NUL. */
    payload_bytes(&with, 1, "a\0z", 3);
    payload_number(&with, 2, 10);
    payload_bytes(&with, 4, "c\0", 2);
    payload_text(&with, 5, "x");
    payload_text(&without, 1, "a");
    payload_number(&without, 2, 11);
    payload_bytes(&without, 4, "c\0", 2);
    payload_text(&without, 5, "y");
    unwrapped(bob, payload_view(&with));
    unwrapped(bob, payload_view(&without));
    EXPECT_NOTES(database, "load c\xc0\x80\ncommit c\xc0\x80 +a\xc0\x80z\ncommit c\xc0\x80 +a\n");
    EXPECT_NUMBER(database_log_length(database, "c\xc0\x80"), 2);
    EXPECT(database_find(database, "c") == NULL);

    /* Both are known after a restart, and so is a hint. */
    bob = reopen(bob, database, "bob", NULL);
    database->hook = act_out;
    database->hook_argument = &script;
    EXPECT(is_true(unwrapped(bob, payload_view(&with)), "duplicate"));
    EXPECT(is_true(unwrapped(bob, payload_view(&without)), "duplicate"));
    database->hook = NULL;
    close_context(bob);

    /* The C functions cannot name that channel; one in which they can, with such a message. */
    bob = open_kept(database, "bob", NULL);
    payload_bytes(&met, 1, "a\0z", 3);
    payload_number(&met, 2, 10);
    payload_text(&met, 4, "d");
    payload_text(&met, 5, "x");
    database->hook = act_out;
    unwrapped(bob, payload_view(&met));
    close_context(bob);
    bob = open_kept(database, "bob", NULL);
    wire = wrapped(bob, "d", "b1", "mine");
    dependency = json_at(json_get(unwrapped(carol, wire), "missingDeps"), 0);
    EXPECT(json_is(json_get(dependency, "messageId"), "\"a\\u0000z\""));
    EXPECT_TEXT(json_string(json_get(dependency, "retrievalHint")), "Zm91bmQ="); /* "found" */

    /* The two bytes themselves are no UTF-8, so no other id can be taken for that one. */
    answer = wrap(bob, "d", "a\xc0\x80z", "x");
    EXPECT_FAILED(answer, "error processing WRAP_MESSAGE request: reInvalidArgument");
    close_context(bob);
    close_context(carol);
    payload_free(&with);
    payload_free(&without);
    payload_free(&met);
}

static void ids_are_passed_as_utf8(void)
{
    struct database *database = new_database(0);
    void *alice = open_kept(database, "alice", "{\"maxMessageHistory\":1}");

    SdsSetRetrievalHintProvider(alice, give_hint, NULL);
    wrapped(alice, "caf\xc3\xa9", "m\xf0\x9f\x98\x80", "x");
    wrapped(alice, "caf\xc3\xa9", "n", "x");
    EXPECT_DONE(remove_channel(alice, "caf\xc3\xa9"));
    EXPECT_TEXT(take_notes(database),
                "load caf\xc3\xa9\nmeta caf\xc3\xa9\nupdate caf\xc3\xa9 +m\xf0\x9f\x98\x80\n"
                "meta caf\xc3\xa9\nupdate caf\xc3\xa9 +n -m\xf0\x9f\x98\x80\ndrop caf\xc3\xa9\n");
    close_context(alice);
}

/* ---- threads -------------------------------------------------------------------------- */

enum { CHANNELS = 8 };

struct writer {
    void *ctx;
    int number;
    int messages;
};

static void *write_messages(void *argument)
{
    struct writer *writer = argument;
    char channel[16], id[32];
    int i;

    snprintf(channel, sizeof channel, "channel%d", writer->number);
    for (i = 0; i < writer->messages; i++) {
        snprintf(id, sizeof id, "m%d.%d", writer->number, i);
        EXPECT_NUMBER(SdsWrapOutgoingMessage(writer->ctx, id, strlen(id), id, channel, count_calls, NULL), RET_OK);
    }
    return NULL;
}

static void write_on_every_channel(void *ctx, int messages)
{
    struct writer writers[CHANNELS];
    pthread_t threads[CHANNELS];
    int i;

    for (i = 0; i < CHANNELS; i++) {
        writers[i] = (struct writer){ctx, i, messages};
        EXPECT_NUMBER(pthread_create(&threads[i], NULL, write_messages, &writers[i]), 0);
    }
    for (i = 0; i < CHANNELS; i++)
        pthread_join(threads[i], NULL);
}

static int dawdle(struct database *database, SdsCall *call, enum procedure procedure)
{
    struct timespec moment = {0, 1000};

    (void)database;
    (void)call;
    (void)procedure;
    nanosleep(&moment, NULL); /* long enough for another thread to be caught inside */
    return 0;
}

static void procedures_of_a_context_never_overlap(void)
{
    static const char *const configs[] = {
        "{" SMALL_FILTER ",\"resendIntervalMs\":1,\"bufferSweepIntervalMs\":1}",
        "{" SMALL_FILTER ",\"resendIntervalMs\":1,\"bufferSweepIntervalMs\":1,\"storeSync\":\"batch\"}",
    };
    int messages = scaled(60), i, variant;

    for (variant = 0; variant < 4; variant++) {
        struct database *database = new_database(variant % 2);
        void *alice = open_kept(database, "alice", configs[variant / 2]);
        char channel[24];

        database->hook = dawdle;
        SdsSetRetrievalHintProvider(alice, give_hint, NULL);
        SdsSetEventCallback(alice, count_calls, NULL);
        EXPECT_DONE(start_tasks(alice));
        write_on_every_channel(alice, messages);
        EXPECT_NUMBER(atomic_load(&database->overlaps), 0);
        close_context(alice);
        for (i = 0; i < CHANNELS; i++) {
            snprintf(channel, sizeof channel, "channel%d", i);
            EXPECT_NUMBER(database_log_length(database, channel), messages);
        }
    }
}

/* A cleanup that comes while a procedure runs. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int inside;
    int opened;
};

static int wait_at_gate(struct database *database, SdsCall *call, enum procedure procedure)
{
    struct gate *gate = database->hook_argument;

    (void)call;
    (void)procedure;
    pthread_mutex_lock(&gate->lock);
    gate->inside = 1;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->opened)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return 0;
}

static void *clean_up_and_count(void *argument)
{
    struct database *database = ((struct late_setter *)argument)->database;

    close_context(((struct late_setter *)argument)->ctx);
    EXPECT_NUMBER(atomic_load(&database->inside), 0);
    database->hook_argument = NULL;
    atomic_store(&database->calls, 0);
    return NULL;
}

static void cleanup_waits_for_the_procedures(void)
{
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    int round;

    for (round = 0; round < scaled(20); round++) {
        struct late_setter closing = {NULL, new_database(round % 2)};
        struct writer writer = {NULL, 0, 1};
        pthread_t writing, cleaning;

        gate.inside = gate.opened = 0;
        closing.database->hook = wait_at_gate;
        closing.database->hook_argument = &gate;
        closing.ctx = writer.ctx = open_kept(closing.database, "alice", "{" SMALL_FILTER "}");
        pthread_create(&writing, NULL, write_messages, &writer);
        pthread_mutex_lock(&gate.lock);
        while (!gate.inside)
            pthread_cond_wait(&gate.changed, &gate.lock);
        pthread_mutex_unlock(&gate.lock);
        pthread_create(&cleaning, NULL, clean_up_and_count, &closing);
        pthread_mutex_lock(&gate.lock);
        gate.opened = 1;
        pthread_cond_broadcast(&gate.changed);
        pthread_mutex_unlock(&gate.lock);
        pthread_join(cleaning, NULL);
        pthread_join(writing, NULL);
        EXPECT_NUMBER(atomic_load(&closing.database->calls), 0); /* none came after it returned */
    }
}

/* Two contexts, two databases, one thread: each is told apart. */
static void contexts_do_not_share_procedures(void)
{
    struct database *first = new_database(1), *second = new_database(1);
    void *alice = open_kept(first, "alice", NULL), *bob = open_kept(second, "bob", NULL);

    unwrapped(bob, wrapped(alice, "c", "m1", "one"));
    EXPECT_NOTES(first, "load c\ncommit c +m1\n");
    EXPECT_NOTES(second, "load c\ncommit c +m1\n");
    close_context(alice);
    wrapped(bob, "c", "b1", "x");
    EXPECT_NOTES(first, "");
    EXPECT_NOTES(second, "commit c +b1\n");
    close_context(bob);
}

/* ---- fork ------------------------------------------------------------------------------ */

static void *forking_context;

/* A child of a procedure has nothing to return to; what it calls must not hang. */
static void fork_inside(SdsCall *call)
{
    static const char forked[] = "libsds error: used in a forked child process";
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(20);
        use_all(call);
        EXPECT_NOT_SET(set_persistence(forking_context, NULL, NULL), SDS_ERR_FORKED, forked);
        EXPECT_REFUSED(wrap(forking_context, "c", "m", "x"), forked);
        fflush(stdout);
        _exit(atomic_load(&expectations.failures) > 0 ? 1 : 0);
    }
    EXPECT(child > 0);
    EXPECT_NUMBER(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_child_forked_inside_a_procedure_is_told_at_once(void)
{
    struct database *database = new_database(1);
    struct script script = {LOAD, fork_inside, 0};

    forking_context = open_kept(database, "alice", NULL);
    database->hook = act_out;
    database->hook_argument = &script;
    wrapped(forking_context, "c", "m1", "one");
    EXPECT_NOTES(database, "load c\ncommit c +m1\n");
    close_context(forking_context);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(the_last_reason_counts_and_only_for_a_failure);
    RUN(a_reason_is_bounded_and_made_utf8);
    RUN(a_load_that_cannot_be_fails_and_says_why);
    RUN(an_empty_meta_is_none_and_a_hint_for_nothing_is_dropped);
    if (scaled(100) >= 100)
        RUN(an_id_beyond_any_configuration_is_refused);
    RUN(damage_is_named_and_never_skipped);
    RUN(a_log_in_another_order_is_mended);
    RUN(loading_from_another_procedure_fails_it);
    RUN(calls_from_inside_every_procedure_are_refused);
    RUN(a_hint_provider_cannot_set_procedures);
    RUN(a_call_that_is_none_is_ignored);
    RUN(another_thread_may_hand_over_while_the_procedure_waits);
    RUN(a_missing_procedure_is_named);
    RUN(a_table_of_another_size_is_read_as_far_as_it_goes);
    RUN(the_table_is_copied);
    RUN(procedures_are_set_before_the_first_channel_only);
    RUN(one_keeper_is_enough);
    RUN(nothing_is_kept_after_null);
    RUN(a_wrong_context_gets_no_procedures);
    RUN(procedures_may_be_set_from_inside_callbacks_and_from_any_thread);
    RUN(an_id_with_a_nul_is_a_key_like_any_other);
    RUN(ids_are_passed_as_utf8);
    RUN(procedures_of_a_context_never_overlap);
    RUN(cleanup_waits_for_the_procedures);
    RUN(contexts_do_not_share_procedures);
    RUN(a_child_forked_inside_a_procedure_is_told_at_once);
    return expect_end();
}
