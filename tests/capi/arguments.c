/*
 * Every function with good and with bad arguments: the return codes and the
 * strings that hosts match.
 */
#include "operations.h"

#include <stdint.h>
#include <sys/wait.h>

static const char *program;

static void constructors_answer_ok_with_an_empty_text(void)
{
    struct answer plain = {0}, configured = {0};
    void *first = SdsNewReliabilityManager(take_answer, &plain);
    void *second = SdsNewReliabilityManagerWithConfig("alice", "{}", take_answer, &configured);

    EXPECT(first != NULL && second != NULL && first != second);
    EXPECT_NUMBER(plain.calls, 1);
    EXPECT_NUMBER(plain.code, RET_OK);
    EXPECT_TEXT(plain.text, "");
    EXPECT_NUMBER(configured.calls, 1);
    EXPECT_NUMBER(configured.code, RET_OK);
    EXPECT_TEXT(configured.text, "");
    close_context(first);
    close_context(second);
}

static void constructors_without_a_callback_return_null(void)
{
    EXPECT(SdsNewReliabilityManager(NULL, NULL) == NULL);
    EXPECT(SdsNewReliabilityManagerWithConfig("alice", "{}", NULL, NULL) == NULL);
    EXPECT(SdsNewReliabilityManagerWithConfig("alice", "{\"bogus\":1}", NULL, NULL) == NULL);
}

static void every_operation_with_good_arguments_succeeds(void)
{
    void *ctx = open_context("alice", NULL);
    int i;

    for (i = 0; i < OPERATION_COUNT; i++) {
        struct answer answer = {0};

        answer.returned = operations[i].call(ctx, take_answer, &answer);
        if (answer.returned != RET_OK || answer.code != RET_OK)
            printf("    %s: %s\n", operations[i].name, answer.text);
        EXPECT_OK(answer);
    }
}

static void every_operation_without_a_callback_does_nothing(void)
{
    void *ctx = open_context("alice", NULL), *peer = open_context("bob", NULL);
    int i;

    wrapped(ctx, "other", "before", "content");
    for (i = 0; i < OPERATION_COUNT; i++)
        EXPECT_NUMBER(operations[i].call(ctx, NULL, NULL), RET_MISSING_CALLBACK);

    /* The context lives, and neither the message nor the channel of the refused calls exists. */
    EXPECT_NUMBER(json_count(json_get(unwrapped(peer, wrapped(ctx, "channel", "m1", "content")), "missingDeps")), 0);
    close_context(ctx);
    close_context(peer);
}

/* A context that is none, in the ways that hosts have shown. */
static void a_wrong_context_is_refused_by_every_operation(void)
{
    static long in_data[8];
    long on_stack[8] = {0};
    void *on_heap = scratch(64);
    void *freed = open_context("alice", NULL), *good = open_context("bob", NULL);
    void *wrong[10];
    size_t i;
    int j;

    close_context(freed);
    wrong[0] = NULL;
    wrong[1] = freed;
    wrong[2] = in_data;
    wrong[3] = on_stack;
    wrong[4] = on_heap;
    wrong[5] = (void *)(uintptr_t)1;
    wrong[6] = (void *)(uintptr_t)42;
    wrong[7] = (void *)(uintptr_t)4096;
    wrong[8] = (void *)UINTPTR_MAX;
    wrong[9] = (char *)good + 1;
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (j = 0; j < OPERATION_COUNT; j++) {
            struct answer answer = {0};

            answer.returned = operations[j].call(wrong[i], take_answer, &answer);
            EXPECT_REFUSED(answer, "libsds error: invalid context");
            EXPECT(operations[j].call(wrong[i], NULL, NULL) != RET_OK);
        }
        SdsSetEventCallback(wrong[i], NULL, NULL);
        SdsSetRetrievalHintProvider(wrong[i], NULL, NULL);
    }
    wrapped(good, "channel", "after", "content");
    close_context(good);
}

static void wrap_refuses_wrong_pointers_and_empty_ids(void)
{
    void *ctx = open_context("alice", NULL);
    struct answer answer;

    answer = wrap_bytes(ctx, "channel", "m1", NULL, 5);
    EXPECT_REFUSED(answer, "libsds error: message pointer is NULL but length > 0");
    answer = wrap(ctx, "channel", NULL, "content");
    EXPECT_REFUSED(answer, "libsds error: message ID pointer is NULL");
    answer = wrap(ctx, NULL, "m1", "content");
    EXPECT_REFUSED(answer, "libsds error: channel ID pointer is NULL");
    answer = wrap(ctx, "", "m1", "content");
    EXPECT_REFUSED(answer, "libsds error: channel ID is empty string");
    answer = wrap(ctx, "channel", "", "content");
    EXPECT_REFUSED(answer, "libsds error: message ID is empty string");
    wrapped(ctx, "channel", "m1", "content");
    close_context(ctx);
}

static void wrap_fails_on_contents_of_a_wrong_size(void)
{
    enum { LARGEST = 1 << 20 };
    void *ctx = open_context("alice", NULL);
    char *content = scratch(LARGEST + 1);

    memset(content, 'x', LARGEST + 1);
    EXPECT_FAILED(wrap(ctx, "channel", "m1", ""), "error processing WRAP_MESSAGE request: reInvalidArgument");
    EXPECT_FAILED(wrap_bytes(ctx, "channel", "m1", NULL, 0), "error processing WRAP_MESSAGE request: reInvalidArgument");
    EXPECT_FAILED(wrap_bytes(ctx, "channel", "m1", content, LARGEST + 1),
                  "error processing WRAP_MESSAGE request: reMessageTooLarge");
    EXPECT_FAILED(wrap_bytes(ctx, "channel", "m1", content, SIZE_MAX),
                  "error processing WRAP_MESSAGE request: reMessageTooLarge");
    EXPECT_OK(wrap_bytes(ctx, "channel", "m1", content, LARGEST));
    close_context(ctx);
}

static void ids_must_be_utf8_and_of_at_most_1024_bytes(void)
{
    static const char *const not_utf8[] = {"\xff", "a\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80"};
    void *ctx = open_context("alice", NULL);
    char longest[1026];
    size_t i;

    wrapped(ctx, "channel", "m1", "content");
    for (i = 0; i < sizeof not_utf8 / sizeof not_utf8[0]; i++) {
        char *ids[1];

        ids[0] = (char *)(uintptr_t)not_utf8[i];
        EXPECT_FAILED(wrap(ctx, "channel", not_utf8[i], "x"), "error processing WRAP_MESSAGE request: reInvalidArgument");
        EXPECT_FAILED(wrap(ctx, not_utf8[i], "m2", "x"), "error processing WRAP_MESSAGE request: reInvalidArgument");
        EXPECT_FAILED(mark_met(ctx, "channel", ids, 1),
                      "error processing MARK_DEPENDENCIES_MET request: reInvalidArgument");
    }
    memset(longest, 'i', sizeof longest);
    longest[1025] = '\0';
    EXPECT_FAILED(wrap(ctx, "channel", longest, "x"), "error processing WRAP_MESSAGE request: reInvalidArgument");
    EXPECT_FAILED(wrap(ctx, longest, "m2", "x"), "error processing WRAP_MESSAGE request: reInvalidArgument");
    longest[1024] = '\0';
    wrapped(ctx, longest, longest, "x");
    close_context(ctx);
}

static void unwrap_fails_on_what_is_no_message(void)
{
    static const char error[] = "error processing UNWRAP_MESSAGE request: reDeserializationError";
    void *ctx = open_context("alice", NULL);
    unsigned char garbage[] = "garbage";
    struct bytes wire = {NULL, 5};

    EXPECT_REFUSED(unwrap(ctx, wire), "libsds error: message pointer is NULL but length > 0");
    wire.length = 0;
    EXPECT_FAILED(unwrap(ctx, wire), error);
    wire.data = garbage;
    EXPECT_FAILED(unwrap(ctx, wire), error);
    for (wire.length = 1; wire.length <= sizeof garbage; wire.length++)
        EXPECT_FAILED(unwrap(ctx, wire), error);
    wire.length = SIZE_MAX;
    EXPECT_FAILED(unwrap(ctx, wire), error);
    wire.length = (size_t)1 << 40;
    EXPECT_FAILED(unwrap(ctx, wire), error);
    close_context(ctx);
}

static void mark_refuses_wrong_pointers_and_unknown_channels(void)
{
    static const char invalid[] = "error processing MARK_DEPENDENCIES_MET request: reInvalidArgument";
    void *ctx = open_context("alice", NULL);
    char id[] = "m1";
    char *ids[] = {id, NULL};

    wrapped(ctx, "channel", "m0", "content");
    EXPECT_REFUSED(mark_met(ctx, "channel", NULL, 1), "libsds error: MessageIDs pointer is NULL but count > 0");
    EXPECT_REFUSED(mark_met(ctx, NULL, ids, 1), "libsds error: channel ID pointer is NULL");
    EXPECT_REFUSED(mark_met(ctx, "", ids, 1), "libsds error: channel ID is empty string");
    EXPECT_FAILED(mark_met(ctx, "unknown", ids, 1), invalid);
    EXPECT_DONE(mark_met(ctx, "channel", ids, 1));
    EXPECT_DONE(mark_met(ctx, "channel", ids, 0));
    EXPECT_DONE(mark_met(ctx, "channel", NULL, 0));
    close_context(ctx);
}

/* Which of the two errors is the library's choice; that it is one, once, and that it reads nothing wild, is not. */
static void mark_survives_lists_that_cannot_be(void)
{
    void *ctx = open_context("alice", NULL);
    char id[] = "m1", empty[] = "";
    char *with_null[] = {id, NULL};
    char *with_empty[] = {id, empty};
    struct answer answers[3];
    int i;

    wrapped(ctx, "channel", "m0", "content");
    answers[0] = mark_met(ctx, "channel", with_null, 2);
    answers[1] = mark_met(ctx, "channel", with_empty, 2);
    answers[2] = mark_met(ctx, "channel", with_null, SIZE_MAX);
    for (i = 0; i < 3; i++) {
        EXPECT_NUMBER(answers[i].calls, 1);
        EXPECT_NUMBER(answers[i].code, RET_ERR);
        EXPECT(answers[i].length > 0);
    }
    wrapped(ctx, "channel", "after", "content");
    close_context(ctx);
}

static void remove_channel_refuses_wrong_ids_and_forgets_the_channel(void)
{
    void *ctx = open_context("alice", NULL);
    char id[] = "x";
    char *ids[] = {id};
    struct answer answer = {0};

    answer.returned = SdsRemoveChannel(ctx, NULL, take_answer, &answer);
    EXPECT_REFUSED(answer, "libsds error: channel ID pointer is NULL");
    answer.calls = 0;
    answer.returned = SdsRemoveChannel(ctx, "", take_answer, &answer);
    EXPECT_REFUSED(answer, "libsds error: channel ID is empty string");
    answer.calls = 0;
    answer.returned = SdsRemoveChannel(ctx, "unknown", take_answer, &answer);
    EXPECT_DONE(answer);
    wrapped(ctx, "channel", "m1", "content");
    answer.calls = 0;
    answer.returned = SdsRemoveChannel(ctx, "channel", take_answer, &answer);
    EXPECT_DONE(answer);
    EXPECT_FAILED(mark_met(ctx, "channel", ids, 1),
                  "error processing MARK_DEPENDENCIES_MET request: reInvalidArgument");
    close_context(ctx);
}

static void reset_forgets_every_channel_and_keeps_the_context(void)
{
    void *ctx = open_context("alice", NULL), *peer = open_context("bob", NULL);
    char id[] = "x";
    char *ids[] = {id};
    struct answer answer = {0};

    wrapped(ctx, "one", "m1", "content");
    wrapped(ctx, "two", "m2", "content");
    answer.returned = SdsResetReliabilityManager(ctx, take_answer, &answer);
    EXPECT_DONE(answer);
    EXPECT_FAILED(mark_met(ctx, "one", ids, 1), "error processing MARK_DEPENDENCIES_MET request: reInvalidArgument");
    EXPECT_NUMBER(json_count(json_get(unwrapped(peer, wrapped(ctx, "two", "m3", "content")), "missingDeps")), 0);
    close_context(ctx);
    close_context(peer);
}

static void starting_twice_is_the_same_as_once(void)
{
    void *ctx = open_context("alice", NULL);

    EXPECT_DONE(start_tasks(ctx));
    EXPECT_DONE(start_tasks(ctx));
    close_context(ctx);
}

static void a_second_cleanup_is_refused(void)
{
    void *ctx = open_context("alice", NULL);

    close_context(ctx);
    EXPECT_REFUSED(cleanup(ctx), "libsds error: invalid context");
}

static void a_config_error_names_its_key(void)
{
    static const struct {
        const char *json, *key;
    } cases[] = {
        {"{\"bogusKey\":1}", "bogusKey"},
        {"{\"BLOOMFILTERCAPACITY\":100}", "BLOOMFILTERCAPACITY"},
        {"{\"maxMessageHistory\":10,\"maxMessageHistorie\":1}", "maxMessageHistorie"},
        {"{\"bloomFilterCapacity\":\"many\"}", "bloomFilterCapacity"},
        {"{\"bloomFilterCapacity\":0}", "bloomFilterCapacity"},
        {"{\"bloomFilterCapacity\":-5}", "bloomFilterCapacity"},
        {"{\"bloomFilterCapacity\":1.5}", "bloomFilterCapacity"},
        {"{\"bloomFilterCapacity\":1e300}", "bloomFilterCapacity"},
        {"{\"bloomFilterErrorRate\":0}", "bloomFilterErrorRate"},
        {"{\"bloomFilterErrorRate\":1}", "bloomFilterErrorRate"},
        {"{\"bloomFilterErrorRate\":-0.1}", "bloomFilterErrorRate"},
        {"{\"maxMessageHistory\":-1}", "maxMessageHistory"},
        {"{\"maxCausalHistory\":[10]}", "maxCausalHistory"},
        {"{\"resendIntervalMs\":-1}", "resendIntervalMs"},
        {"{\"maxResendAttempts\":true}", "maxResendAttempts"},
        {"{\"syncMessageIntervalMs\":{}}", "syncMessageIntervalMs"},
        {"{\"bufferSweepIntervalMs\":-1}", "bufferSweepIntervalMs"},
        {"{\"repairTMinMs\":-1}", "repairTMinMs"},
        {"{\"repairTMaxMs\":99999999999999999999}", "repairTMaxMs"},
        {"{\"numResponseGroups\":-1}", "numResponseGroups"},
        {"{\"wireFormat\":\"sds-9\"}", "wireFormat"},
        {"{\"wireFormat\":4}", "wireFormat"},
        {"{\"channelWireFormats\":\"lip-109\"}", "channelWireFormats"},
        {"{\"channelWireFormats\":{\"a\":\"sds-9\"}}", "channelWireFormats"},
        {"{\"channelWireFormats\":{\"\":\"lip-109\"}}", "channelWireFormats"},
        {"{\"lamportUnit\":\"years\"}", "lamportUnit"},
        {"{\"ackConfidence\":2}", "ackConfidence"},
        {"{\"possibleAckThreshold\":-1}", "possibleAckThreshold"},
        {"{\"missingDependencyTimeoutMs\":-1}", "missingDependencyTimeoutMs"},
        {"{\"maxLamportDriftMs\":-1}", "maxLamportDriftMs"},
        {"{\"storeSync\":\"perhaps\"}", "storeSync"},
        {"{\"maxContentBytes\":-1}", "maxContentBytes"},
        {"{\"maxChannels\":-1}", "maxChannels"},
        {"{\"acceptUnknownChannels\":1}", "acceptUnknownChannels"},
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer answer = {0};
        void *ctx = SdsNewReliabilityManagerWithConfig("alice", cases[i].json, take_answer, &answer);

        EXPECT(ctx == NULL);
        EXPECT_NUMBER(answer.calls, 1);
        EXPECT_NUMBER(answer.code, RET_ERR);
        if (!EXPECT(answer.text != NULL && strstr(answer.text, cases[i].key) != NULL) || ctx != NULL)
            printf("    for %s: \"%s\"\n", cases[i].json, answer.text != NULL ? answer.text : "(NULL)");
        if (ctx != NULL)
            cleanup(ctx);
    }
}

static void a_config_that_is_no_object_is_refused(void)
{
    static const char *const cases[] = {"{", "[]", "7", "\"text\"", "{} x", "{\"maxChannels\":}", "\xff", "nonsense"};
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer answer = {0};
        void *ctx = SdsNewReliabilityManagerWithConfig("alice", cases[i], take_answer, &answer);

        if (!EXPECT(ctx == NULL))
            printf("    for %s\n", cases[i]);
        EXPECT_NUMBER(answer.calls, 1);
        EXPECT_NUMBER(answer.code, RET_ERR);
        EXPECT(answer.length > 0);
        if (ctx != NULL)
            cleanup(ctx);
    }
}

static void every_key_of_the_config_is_known(void)
{
    void *ctx = open_context(
        "alice",
        "{\"bloomFilterCapacity\":10000,\"bloomFilterErrorRate\":0.001,\"maxMessageHistory\":1000,"
        "\"maxCausalHistory\":10,\"resendIntervalMs\":60000,\"maxResendAttempts\":5,\"syncMessageIntervalMs\":30000,"
        "\"bufferSweepIntervalMs\":60000,\"repairTMinMs\":30000,\"repairTMaxMs\":300000,\"numResponseGroups\":1,"
        "\"maxRepairRequests\":3,\"repairSweepIntervalMs\":5000,\"wireFormat\":\"sds-0.4\","
        "\"channelWireFormats\":{\"lobby\":\"lip-109\"},\"lamportUnit\":\"auto\","
        "\"ackConfidence\":1e-6,\"possibleAckThreshold\":2,\"missingDependencyTimeoutMs\":600000,"
        "\"maxLamportDriftMs\":86400000,\"storePath\":\"\",\"storeSync\":\"full\",\"maxContentBytes\":1048576,"
        "\"maxWireBytes\":8388608,\"maxHistoryEntries\":4096,\"maxIdBytes\":1024,\"maxChannels\":0,"
        "\"acceptUnknownChannels\":true,\"maxIncomingMessages\":10000,\"maxIncomingBytes\":67108864,"
        "\"maxOutgoingMessages\":10000,\"maxRepairEntries\":1000}");

    close_context(ctx);
}

static void a_participant_id_is_checked_like_any_other(void)
{
    char longest[1026];
    const char *wrong[2];
    struct answer answer = {0};
    void *ctx;
    int i;

    memset(longest, 'p', sizeof longest);
    longest[1025] = '\0';
    wrong[0] = "\xff\xfe";
    wrong[1] = longest;
    for (i = 0; i < 2; i++) {
        answer.calls = 0;
        ctx = SdsNewReliabilityManagerWithConfig(wrong[i], NULL, take_answer, &answer);
        EXPECT(ctx == NULL);
        EXPECT_NUMBER(answer.calls, 1);
        EXPECT_NUMBER(answer.code, RET_ERR);
        if (ctx != NULL)
            cleanup(ctx);
    }

    /* No id at all: a context without SDS-R. */
    ctx = open_context("", NULL);
    wrapped(ctx, "channel", "m1", "content");
    close_context(ctx);
    ctx = open_context(NULL, NULL);
    wrapped(ctx, "channel", "m1", "content");
    close_context(ctx);
}

static void limits_of_the_config_hold(void)
{
    void *ctx = open_context("alice", "{\"maxChannels\":1,\"maxOutgoingMessages\":2,\"maxContentBytes\":4}");

    EXPECT_FAILED(wrap(ctx, "channel", "m0", "12345"), "error processing WRAP_MESSAGE request: reMessageTooLarge");
    wrapped(ctx, "channel", "m1", "1234");
    EXPECT_FAILED(wrap(ctx, "second", "m2", "x"), "error processing WRAP_MESSAGE request: reLimitExceeded");
    wrapped(ctx, "channel", "m2", "x");
    EXPECT_FAILED(wrap(ctx, "channel", "m3", "x"), "error processing WRAP_MESSAGE request: reLimitExceeded");
    close_context(ctx);
}

/* What a child does that was started with SDS_CONFIG: exit with the callback's code, 10 where it was not called. */
static int created_from_the_environment(void)
{
    struct answer answer = {0};
    void *ctx = SdsNewReliabilityManager(take_answer, &answer);

    if (answer.calls != 1 || (ctx == NULL) != (answer.code != RET_OK))
        return 10;
    if (ctx != NULL && wrap(ctx, "channel", "m1", "12345").code == RET_OK)
        return 11; /* the limit of the environment's config does not hold */
    return answer.code;
}

static int exit_status_with_config(const char *config)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        setenv("SDS_CONFIG", config, 1);
        execl(program, program, "--from-environment", (char *)NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_context_without_a_config_takes_the_one_in_the_environment(void)
{
    EXPECT_NUMBER(exit_status_with_config("{\"maxContentBytes\":4}"), RET_OK);
    EXPECT_NUMBER(exit_status_with_config("{\"bogusKey\":4}"), RET_ERR);
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc > 1 && strcmp(argv[1], "--from-environment") == 0)
        return created_from_the_environment();
    expect_begin(argc, argv);
    RUN(constructors_answer_ok_with_an_empty_text);
    RUN(constructors_without_a_callback_return_null);
    RUN(every_operation_with_good_arguments_succeeds);
    RUN(every_operation_without_a_callback_does_nothing);
    RUN(a_wrong_context_is_refused_by_every_operation);
    RUN(wrap_refuses_wrong_pointers_and_empty_ids);
    RUN(wrap_fails_on_contents_of_a_wrong_size);
    RUN(ids_must_be_utf8_and_of_at_most_1024_bytes);
    RUN(unwrap_fails_on_what_is_no_message);
    RUN(mark_refuses_wrong_pointers_and_unknown_channels);
    RUN(mark_survives_lists_that_cannot_be);
    RUN(remove_channel_refuses_wrong_ids_and_forgets_the_channel);
    RUN(reset_forgets_every_channel_and_keeps_the_context);
    RUN(starting_twice_is_the_same_as_once);
    RUN(a_second_cleanup_is_refused);
    RUN(a_config_error_names_its_key);
    RUN(a_config_that_is_no_object_is_refused);
    RUN(every_key_of_the_config_is_known);
    RUN(a_participant_id_is_checked_like_any_other);
    RUN(limits_of_the_config_hold);
    RUN(a_context_without_a_config_takes_the_one_in_the_environment);
    return expect_end();
}
