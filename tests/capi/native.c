/*
 * The native API as it is meant to be used: messages and events as structs, both
 * APIs on one context, the host's own loop, words for what went wrong, the log,
 * and insight. What it does with misuse is matrix.c's.
 */
#include "database.h"
#include "native.h"
#include "payload.h"

static void an_unwrapped_message_is_described_in_full(void)
{
    struct diary *heard = new_diary();
    void *alice = open_native("alice", NULL, NULL), *bob = open_native("bob", NULL, heard);
    SdsUnwrapped *result = unwrap_native(bob, wrap_native(alice, "channel", "m1", "hello"));

    EXPECT_NUMBER(result->kind, SDS_KIND_CONTENT);
    EXPECT_NUMBER(result->contentLen, 5);
    EXPECT(memcmp(result->content, "hello", 5) == 0);
    EXPECT_TEXT(result->channelId, "channel");
    EXPECT_TEXT(result->messageId, "m1");
    EXPECT_TEXT(result->senderId, "alice");
    EXPECT(result->lamport > 1000000000);
    EXPECT_NUMBER(result->duplicate, 0);
    EXPECT_NUMBER(result->buffered, 0);
    EXPECT_NUMBER(result->missingCount, 0);
    SdsFree(result);
    EXPECT_NUMBER(heard->count, 1);
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_READY, "m1"), 1);
    EXPECT_TEXT(heard->entries[0].channel, "channel");
    EXPECT_NUMBER(heard->entries[0].message.length, 5);
    EXPECT(memcmp(heard->entries[0].message.data, "hello", 5) == 0);
    close_native(alice);
    close_native(bob);
}

static void a_message_that_waits_is_delivered_in_causal_order(void)
{
    struct diary *heard = new_diary();
    void *alice = open_native("alice", NULL, NULL), *bob = open_native("bob", NULL, heard);
    struct bytes first = wrap_native(alice, "channel", "m1", "one"), second = wrap_native(alice, "channel", "m2", "two");
    SdsUnwrapped *result = unwrap_native(bob, second);

    EXPECT_NUMBER(result->buffered, 1);
    EXPECT_NUMBER(result->missingCount, 1);
    EXPECT_TEXT(result->missing[0].messageId, "m1");
    EXPECT_TEXT(result->missing[0].senderId, "alice");
    EXPECT_NUMBER(result->missing[0].hintLen, 0);
    EXPECT(result->missing[0].hint == NULL);
    EXPECT(memcmp(result->content, "two", 3) == 0);
    SdsFree(result);
    EXPECT_NUMBER(heard->count, 1);
    EXPECT_NUMBER(heard->entries[0].type, SDS_EVENT_MISSING_DEPENDENCIES);
    EXPECT_TEXT(heard->entries[0].message_id, "m2");
    EXPECT_NUMBER(heard->entries[0].dependencies, 1);
    EXPECT_TEXT(heard->entries[0].missing_id, "m1");
    EXPECT_TEXT(heard->entries[0].missing_sender, "alice");

    receive(bob, first);
    EXPECT_NUMBER(heard->count, 3);
    EXPECT_TEXT(heard->entries[1].message_id, "m1");
    EXPECT(heard->entries[1].message.length == 3 && memcmp(heard->entries[1].message.data, "one", 3) == 0);
    EXPECT_TEXT(heard->entries[2].message_id, "m2");
    EXPECT_NUMBER(heard->entries[2].message.length, 3);
    EXPECT(memcmp(heard->entries[2].message.data, "two", 3) == 0);

    result = unwrap_native(bob, second);
    EXPECT_NUMBER(result->duplicate, 1);
    SdsFree(result);
    EXPECT_NUMBER(heard->count, 3);
    close_native(alice);
    close_native(bob);
}

static void what_is_marked_as_met_is_waited_for_no_longer(void)
{
    static const char *const ids[] = {"m1", "m2"};
    struct diary *heard = new_diary();
    void *alice = open_native("alice", NULL, NULL), *bob = open_native("bob", NULL, heard);
    char *error = NULL;

    wrap_native(alice, "channel", "m1", "one");
    wrap_native(alice, "channel", "m2", "two");
    receive(bob, wrap_native(alice, "channel", "m3", "three"));
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_READY, NULL), 0);
    EXPECT_STATUS(SdsMarkMet(bob, "channel", ids, 2, &error), SDS_OK);
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_READY, "m3"), 1);
    EXPECT_STATUS(SdsMarkMet(bob, "channel", NULL, 0, &error), SDS_OK);
    close_native(alice);
    close_native(bob);
}

static void a_cited_message_is_acknowledged(void)
{
    struct diary *heard = new_diary();
    void *alice = open_native("alice", NULL, heard), *bob = open_native("bob", NULL, NULL);

    receive(bob, wrap_native(alice, "channel", "m1", "one"));
    receive(alice, wrap_native(bob, "channel", "m2", "two"));
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_SENT, "m1"), 1);
    EXPECT_TEXT(diary_find(heard, SDS_EVENT_MESSAGE_SENT).channel, "channel");
    close_native(alice);
    close_native(bob);
}

static void a_sync_message_tells_and_asks_what_a_message_would(void)
{
    struct diary *heard = new_diary(), *told = new_diary();
    void *alice = open_native("alice", NULL, heard), *bob = open_native("bob", NULL, told);
    uint8_t *message = NULL;
    size_t length = 0;
    char *error = NULL;
    SdsUnwrapped *result;

    receive(bob, wrap_native(alice, "channel", "m1", "one"));
    EXPECT_STATUS(SdsWrapSync(bob, "channel", &message, &length, &error), SDS_OK);
    result = unwrap_native(alice, taken(message, length));
    EXPECT_NUMBER(result->kind, SDS_KIND_SYNC);
    EXPECT_NUMBER(result->contentLen, 0);
    EXPECT_TEXT(result->senderId, "bob");
    SdsFree(result);
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_SENT, "m1"), 1);
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_READY, NULL), 0);
    close_native(alice);
    close_native(bob);
}

static void an_ephemeral_message_leaves_no_trace(void)
{
    struct diary *heard = new_diary();
    void *alice = open_native("alice", NULL, NULL), *bob = open_native("bob", NULL, heard);
    uint8_t *message = NULL;
    size_t length = 0;
    char *error = NULL;
    struct bytes wire;
    SdsUnwrapped *result;

    EXPECT_STATUS(SdsWrapEphemeral(alice, "channel", "typing", "...", 3, &message, &length, &error), SDS_OK);
    EXPECT(length < 100); /* no history, no filter */
    wire = taken(message, length);
    result = unwrap_native(bob, wire);
    EXPECT_NUMBER(result->kind, SDS_KIND_EPHEMERAL);
    EXPECT_NUMBER(result->contentLen, 3);
    EXPECT_NUMBER(result->lamport, 0);
    SdsFree(result);
    receive(bob, wire);
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_READY, "typing"), 2);
    EXPECT_NUMBER(diary_find(heard, SDS_EVENT_MESSAGE_READY).message.length, 3);
    result = unwrap_native(bob, wrap_native(alice, "channel", "m1", "one"));
    EXPECT_NUMBER(result->missingCount, 0);
    SdsFree(result);
    close_native(alice);
    close_native(bob);
}

/* Payloads of all sizes, the first of a context and the largest among them: each in one block of its own length. */
static void contents_of_every_size_arrive(void)
{
    static const size_t sizes[] = {1, 1023, 1 << 20, 2, 70000, 1 << 20, 100};
    void *alice = open_native("alice", "{" SMALL_FILTER "}", NULL), *bob = open_native("bob", "{" SMALL_FILTER "}", NULL);
    unsigned char *content = scratch(1 << 20);
    size_t i, at;

    for (at = 0; at < 1 << 20; at++)
        content[at] = (unsigned char)(at * 7 + at / 251);
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *message = NULL;
        size_t length = 0;
        char id[16], *error = NULL;
        SdsUnwrapped *result;

        snprintf(id, sizeof id, "m%zu", i);
        EXPECT_STATUS(SdsWrap(alice, "channel", id, content, sizes[i], &message, &length, &error), SDS_OK);
        result = unwrap_native(bob, taken(message, length));
        EXPECT_NUMBER(result->contentLen, sizes[i]);
        EXPECT(memcmp(result->content, content, sizes[i]) == 0);
        SdsFree(result);
    }
    close_native(alice);
    close_native(bob);
}

static void blocks_outlive_their_context(void)
{
    void *alice = open_native("alice", NULL, NULL), *bob = open_native("bob", NULL, NULL);
    uint8_t *message = NULL;
    size_t length = 0;
    char *error = NULL, *words = NULL;
    SdsUnwrapped *result;

    EXPECT_STATUS(SdsWrap(alice, "channel", "m1", "one", 3, &message, &length, &error), SDS_OK);
    EXPECT_NUMBER(SdsWrap(alice, "", "m1", "one", 3, &(uint8_t *){NULL}, &(size_t){0}, &words), SDS_ERR_INVALID_ARGUMENT);
    EXPECT_STATUS(SdsUnwrap(bob, message, length, &result, &error), SDS_OK);
    close_native(alice);
    close_native(bob);
    EXPECT_TEXT(result->messageId, "m1");
    EXPECT(words != NULL && strlen(words) > 0);
    SdsFree(result);
    SdsFree(message);
    SdsFree(words);
}

static void note_asked(const char *messageId, char **hint, size_t *hintLen, void *userData)
{
    (void)hint;
    (void)hintLen;
    sprintf((char *)userData + strlen(userData), "%s ", messageId);
}

/* An id with a NUL in it, as a peer may send it: a key like any other. */
static void an_id_with_a_nul_is_a_key_like_any_other(void)
{
    static const char *const name = "a\xc0\x80" "b";
    struct diary *heard = new_diary();
    void *bob = open_native("bob", NULL, heard);
    struct payload payload = {0};
    char *error = NULL, *asked = scratch(100);
    SdsUnwrapped *result;

    payload_bytes(&payload, 1, "m\0x", 3);
    payload_number(&payload, 2, 5);
    payload_bytes(&payload, 3, "a\0b", 3);
    payload_bytes(&payload, 4, "a\0b", 3);
    payload_text(&payload, 5, "content");
    result = unwrap_native(bob, payload_view(&payload));
    EXPECT_TEXT(result->channelId, name);
    EXPECT_TEXT(result->messageId, "m\xc0\x80x");
    EXPECT_NUMBER(result->missingCount, 1);
    EXPECT_TEXT(result->missing[0].messageId, name);
    SdsFree(result);
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MISSING_DEPENDENCIES, "m\xc0\x80x"), 1);
    EXPECT_STATUS(SdsMarkMet(bob, name, &name, 1, &error), SDS_OK);
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_READY, "m\xc0\x80x"), 1);
    SdsSetRetrievalHintProvider(bob, note_asked, asked);
    wrap_native(bob, name, "b1", "cites it");
    EXPECT_TEXT(asked, "m\xc0\x80x ");
    EXPECT_STATUS(SdsDropChannel(bob, name, &error), SDS_OK);
    payload_free(&payload);
    close_native(bob);
}

static void hint_at_id(const char *messageId, char **hint, size_t *hintLen, void *userData)
{
    (void)userData;
    *hint = strdup(messageId);
    *hintLen = strlen(messageId);
}

static void the_hint_of_the_host_travels_with_the_dependency(void)
{
    SdsOptions options = {0};
    void *alice = NULL, *bob = open_native("bob", NULL, NULL);
    uint8_t *message = NULL;
    size_t length = 0;
    char *error = NULL;
    SdsUnwrapped *result;

    options.size = sizeof options;
    options.hintProvider = hint_at_id;
    EXPECT_STATUS(SdsOpen(&options, &alice, &error), SDS_OK);
    wrap_native(alice, "channel", "m1", "one");
    result = unwrap_native(bob, wrap_native(alice, "channel", "m2", "two"));
    EXPECT_NUMBER(result->missing[0].hintLen, 2);
    EXPECT(memcmp(result->missing[0].hint, "m1", 2) == 0);
    EXPECT_TEXT(result->missing[0].senderId, ""); /* Alice has no id */
    SdsFree(result);
    EXPECT_STATUS(SdsWrapSync(alice, "channel", &message, &length, &error), SDS_OK);
    result = unwrap_native(bob, taken(message, length));
    EXPECT_NUMBER(result->missingCount, 2); /* m2 waits, too */
    EXPECT_NUMBER(result->missing[1].hintLen, 2);
    SdsFree(result);
    close_native(alice);
    close_native(bob);
}

/* ---- two receivers, two APIs ------------------------------------------------ */

static char received[256];

static void note_struct(const SdsEvent *event, void *userData)
{
    (void)userData;
    sprintf(received + strlen(received), "struct:%s ", event->messageId);
}

static void note_text(int code, const char *text, size_t length, void *userData)
{
    (void)code;
    (void)userData;
    sprintf(received + strlen(received), "text:%s ", json_string(json_get(json_parse(text, length), "messageId")));
}

static void each_event_goes_to_the_callback_and_then_to_the_handler(void)
{
    void *alice = open_native("alice", NULL, NULL), *bob = open_native("bob", NULL, NULL);
    struct bytes first = wrap_native(alice, "channel", "m1", "one"), second = wrap_native(alice, "channel", "m2", "two");
    struct bytes third = wrap_native(alice, "channel", "m3", "three"), fourth = wrap_native(alice, "channel", "m4", "four");

    received[0] = '\0';
    receive(bob, first); /* nobody listens yet: kept */
    EXPECT_NUMBER(SdsSetEventHandler(bob, note_struct, NULL), SDS_OK);
    EXPECT_TEXT(received, "struct:m1 ");
    SdsSetEventCallback(bob, note_text, NULL);
    receive(bob, second);
    EXPECT_TEXT(received, "struct:m1 text:m2 struct:m2 ");
    received[0] = '\0';
    EXPECT_NUMBER(SdsSetEventHandler(bob, NULL, NULL), SDS_OK);
    receive(bob, third);
    EXPECT_TEXT(received, "text:m3 ");
    SdsSetEventCallback(bob, NULL, NULL);
    receive(bob, fourth);
    EXPECT_TEXT(received, "text:m3 ");
    EXPECT_NUMBER(SdsSetEventHandler(bob, note_struct, NULL), SDS_OK);
    EXPECT_TEXT(received, "text:m3 struct:m4 ");
    close_native(alice);
    close_native(bob);
}

static void a_context_of_either_api_can_be_used_with_the_other(void)
{
    struct diary *heard = new_diary();
    void *alice = open_context("alice", NULL), *bob = open_native("bob", NULL, NULL);
    struct bytes wire = wrap_native(alice, "channel", "m1", "one");
    struct answer answer = {0};
    char *error = NULL;

    EXPECT_NUMBER(SdsSetEventHandler(alice, keep_event, heard), SDS_OK);
    EXPECT_TEXT(json_string(json_get(unwrapped(bob, wire), "messageId")), "m1");
    receive(alice, wrapped(bob, "channel", "m2", "two"));
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_SENT, "m1"), 1);
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_READY, "m2"), 1);
    EXPECT_STATUS(SdsStart(alice, &error), SDS_OK);
    EXPECT_DONE(start_tasks(alice));
    answer.returned = SdsResetReliabilityManager(bob, take_answer, &answer);
    EXPECT_DONE(answer);
    close_native(alice);
    close_context(bob);
}

/* ---- time ------------------------------------------------------------------- */

static int thread_count(void)
{
    char line[128];
    int count = 0;
    FILE *status = fopen("/proc/self/status", "r");

    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "Threads: %d", &count) == 1)
            break;
    if (status != NULL)
        fclose(status);
    return count;
}

static void the_hosts_loop_drives_everything(void)
{
    static const char config[] = "{" SMALL_FILTER ",\"repairTMinMs\":0,\"repairTMaxMs\":1,\"maxResendAttempts\":1,"
                                 "\"syncMessageIntervalMs\":7000,\"repairSweepIntervalMs\":5000,"
                                 "\"resendIntervalMs\":20000,\"bufferSweepIntervalMs\":60000}";
    struct diary *at_alice = new_diary(), *at_bob = new_diary();
    void *alice = open_native("alice", config, at_alice), *bob = open_native("bob", config, at_bob);
    int64_t now = unix_ms();
    struct bytes lost = wrap_native(alice, "channel", "m1", "lost");
    struct happening event;

    (void)lost;
    EXPECT_NUMBER(tick(alice, now), now + 5000); /* the first makes the schedule */
    EXPECT_NUMBER(tick(alice, now + 4999), now + 5000);
    EXPECT_NUMBER(tick(alice, now + 5000), now + 7000);
    EXPECT_NUMBER(at_alice->count, 0);
    EXPECT_NUMBER(tick(alice, now + 7000), now + 10000);
    event = diary_find(at_alice, SDS_EVENT_PERIODIC_SYNC);
    EXPECT_NUMBER(event.channels, 1);
    EXPECT_TEXT(event.first_channel, "channel");
    EXPECT(event.channel == NULL && event.message_id == NULL);

    /* Bob lacks m1 and asks for it; Alice answers when she is ticked. */
    receive(bob, wrap_native(alice, "channel", "m2", "two"));
    sleep_ms(2);
    receive(alice, wrap_native(bob, "channel", "b1", "chatter"));
    tick(alice, now + 12000);
    event = diary_find(at_alice, SDS_EVENT_REPAIR_READY);
    EXPECT_TEXT(event.channel, "channel");
    EXPECT_TEXT(event.message_id, "m1");
    receive(bob, event.message);
    EXPECT_NUMBER(diary_count(at_bob, SDS_EVENT_MESSAGE_READY, "m1"), 1);
    EXPECT_NUMBER(diary_count(at_bob, SDS_EVENT_MESSAGE_READY, "m2"), 1);

    receive(alice, wrap_native(bob, "channel", "b2", "has m1 and m2"));
    EXPECT_NUMBER(diary_count(at_alice, SDS_EVENT_MESSAGE_SENT, NULL), 2);

    /* Nobody acknowledges m3. */
    wrap_native(alice, "channel", "m3", "three");
    tick(alice, now + 60000);
    event = diary_find(at_alice, SDS_EVENT_RESEND_READY);
    EXPECT_TEXT(event.message_id, "m3");
    EXPECT_NUMBER(event.attempts, 1);
    receive(bob, event.message);
    EXPECT_NUMBER(diary_count(at_bob, SDS_EVENT_MESSAGE_READY, "m3"), 1);
    tick(alice, now + 120000);
    event = diary_find(at_alice, SDS_EVENT_DELIVERY_FAILED);
    EXPECT_TEXT(event.message_id, "m3");
    EXPECT_NUMBER(event.attempts, 1);

    /* Bob waits for m4 in vain. */
    wrap_native(alice, "channel", "m4", "lost");
    receive(bob, wrap_native(alice, "channel", "m5", "five"));
    tick(bob, now);
    tick(bob, now + 2 * 600000);
    event = diary_find(at_bob, SDS_EVENT_DEPENDENCIES_LOST);
    EXPECT_TEXT(event.message_id, "m5");
    EXPECT_TEXT(event.missing_id, "m4");
    EXPECT_NUMBER(diary_count(at_bob, SDS_EVENT_MESSAGE_READY, "m5"), 1);
    close_native(alice);
    close_native(bob);
}

static void a_context_that_is_ticked_has_no_thread(void)
{
    void *contexts[50];
    int before, i;

    for (i = 0; i < 50; i++) {
        contexts[i] = open_native("alice", NULL, NULL);
        tick(contexts[i], unix_ms());
    }
    before = thread_count();
    for (i = 0; i < 50; i++) {
        wrap_native(contexts[i], "channel", "m1", "one");
        tick(contexts[i], unix_ms() + 3600000);
    }
    EXPECT(thread_count() <= before + 8); /* those of the runtime come and go */
    for (i = 0; i < 50; i++)
        close_native(contexts[i]);
}

static void one_context_has_one_clock(void)
{
    static const char ticked[] = "libsds error: SdsTick drives this context: "
                                 "the host's loop and the library's timer exclude each other";
    static const char started[] = "libsds error: the library's timer was started for this context: "
                                  "the host's loop and the library's timer exclude each other";
    void *one = open_native("alice", NULL, NULL), *two = open_native("alice", NULL, NULL);
    void *three = open_native("alice", NULL, NULL);
    int64_t next = 17;
    char *error = NULL;

    tick(one, unix_ms());
    EXPECT_WORDS(SdsStart(one, &error), SDS_ERR_INVALID_ARGUMENT, ticked);
    EXPECT_FAILED(start_tasks(one), "error processing START_PERIODIC_TASKS request: reInvalidArgument");
    tick(one, unix_ms() + 1000000); /* and goes on */

    EXPECT_STATUS(SdsStart(two, &error), SDS_OK);
    EXPECT_STATUS(SdsStart(two, &error), SDS_OK);
    EXPECT_WORDS(SdsTick(two, unix_ms(), &next, &error), SDS_ERR_INVALID_ARGUMENT, started);
    EXPECT_NUMBER(next, 0);

    EXPECT_DONE(start_tasks(three));
    EXPECT_WORDS(SdsTick(three, unix_ms(), NULL, &error), SDS_ERR_INVALID_ARGUMENT, started);
    close_native(one);
    close_native(two);
    close_native(three);
}

static void a_time_that_counts_no_milliseconds_is_refused(void)
{
    static const int64_t wrong[] = {-1, INT64_MIN, 253402300800000, 1700000000000000, INT64_MAX};
    void *alice = open_native("alice", NULL, NULL);
    char *error = NULL;
    size_t i;

    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        EXPECT_STATUS(SdsTick(alice, wrong[i], NULL, &error), SDS_ERR_INVALID_ARGUMENT);
    EXPECT_STATUS(SdsStart(alice, &error), SDS_OK); /* for it did not drive the context */
    EXPECT_STATUS(SdsTick(NULL, -1, NULL, &error), SDS_ERR_INVALID_CONTEXT);
    close_native(alice);
}

static void both_ends_of_time_can_be_ticked(void)
{
    void *alice = open_native("alice", NULL, NULL);
    char *error = NULL;

    tick(alice, 0);
    EXPECT_STATUS(SdsTick(alice, 253402300799999, NULL, &error), SDS_OK);
    tick(alice, 5);
    close_native(alice);
}

/* ---- words -------------------------------------------------------------------- */

static void errors_name_the_culprit(void)
{
    void *alice = open_native("alice", "{\"maxContentBytes\":4,\"maxIdBytes\":8,\"maxChannels\":1}", NULL);
    static const char *const ids[] = {"m1", ""};
    uint8_t *message = NULL;
    size_t length = 0;
    char *error = NULL;

    EXPECT_WORDS(SdsWrap(alice, "c", "m1", "12345", 5, &message, &length, &error), SDS_ERR_MESSAGE_TOO_LARGE,
                 "libsds error: content is too large: 5 bytes, more than maxContentBytes (4)");
    EXPECT_WORDS(SdsWrap(alice, "c", "123456789", "1", 1, &message, &length, &error), SDS_ERR_INVALID_ARGUMENT,
                 "libsds error: channel \"c\": message ID has 9 bytes, more than maxIdBytes (8)");
    EXPECT_WORDS(SdsWrap(alice, "c", "\xff", "1", 1, &message, &length, &error), SDS_ERR_INVALID_ARGUMENT,
                 "libsds error: channel \"c\": message ID is not valid UTF-8");
    EXPECT_WORDS(SdsWrap(alice, "c", "m1", NULL, 0, &message, &length, &error), SDS_ERR_INVALID_ARGUMENT,
                 "libsds error: channel \"c\": content is empty");
    EXPECT_WORDS(SdsWrap(alice, "c", "m1", NULL, 1, &message, &length, &error), SDS_ERR_INVALID_ARGUMENT,
                 "libsds error: content pointer is NULL but length > 0");
    EXPECT_WORDS(SdsMarkMet(alice, "d", ids, 1, &error), SDS_ERR_INVALID_ARGUMENT,
                 "libsds error: channel \"d\": the channel is not known");
    EXPECT_WORDS(SdsMarkMet(alice, "d", ids, 2, &error), SDS_ERR_INVALID_ARGUMENT,
                 "libsds error: message ID 1 is empty string");
    EXPECT_STATUS(SdsEnsureChannel(alice, "c", &error), SDS_OK);
    EXPECT_WORDS(SdsEnsureChannel(alice, "d", &error), SDS_ERR_LIMIT_EXCEEDED,
                 "libsds error: channel \"d\": there are 1 channels, as many as maxChannels allows");
    EXPECT_WORDS(SdsEnsureChannel(NULL, "d", &error), SDS_ERR_INVALID_CONTEXT, "libsds error: invalid context");
    close_native(alice);
}

static void a_bad_configuration_names_key_value_and_what_it_takes(void)
{
    SdsOptions options = {0};
    char *error = NULL;
    void *ctx;

    options.size = sizeof options;
    options.configJson = "{\"maxMessageHistory\":0}";
    EXPECT_WORDS(SdsOpen(&options, &ctx, &error), SDS_ERR_INVALID_ARGUMENT,
                 "libsds error: config: \"maxMessageHistory\" takes a whole number from 1 to 10000000, not 0");
    EXPECT(ctx == NULL);
    options.configJson = "{\"wireFormat\":\"sds-9\"}";
    EXPECT_WORDS(SdsOpen(&options, &ctx, &error), SDS_ERR_INVALID_ARGUMENT,
                 "libsds error: config: \"wireFormat\" takes one of \"sds-0.2\", \"sds-0.3\", \"sds-0.4\", "
                 "\"lip-109\", not \"sds-9\"");
}

static void options_of_an_older_host_are_understood(void)
{
    struct diary *heard = new_diary();
    SdsOptions options = {0};
    void *alice = open_native("alice", NULL, NULL), *bob = NULL;
    char *error = NULL;
    SdsUnwrapped *result;

    /* It ends before the handler, which is rubbish to the library. */
    options.size = (uint32_t)offsetof(SdsOptions, eventHandler);
    options.participantId = "bob";
    memset(&options.eventHandler, 0xa5, sizeof options - offsetof(SdsOptions, eventHandler));
    EXPECT_STATUS(SdsOpen(&options, &bob, &error), SDS_OK);
    EXPECT_NUMBER(SdsSetEventHandler(bob, keep_event, heard), SDS_OK);
    result = unwrap_native(alice, wrap_native(bob, "channel", "m1", "one"));
    EXPECT_TEXT(result->senderId, "bob");
    SdsFree(result);
    receive(bob, wrap_native(alice, "channel", "m2", "two"));
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_READY, "m2"), 1);
    close_native(bob);
    close_native(alice);

    EXPECT_STATUS(SdsOpen(NULL, &bob, &error), SDS_OK);
    close_native(bob);
}

static void every_status_has_words(void)
{
    static const int statuses[] = {SDS_OK, SDS_ERR, SDS_ERR_MISSING_CALLBACK, SDS_ERR_INVALID_ARGUMENT,
                                   SDS_ERR_OUT_OF_MEMORY, SDS_ERR_INTERNAL, SDS_ERR_SERIALIZATION,
                                   SDS_ERR_DESERIALIZATION, SDS_ERR_MESSAGE_TOO_LARGE, SDS_ERR_PERSISTENCE,
                                   SDS_ERR_LIMIT_EXCEEDED, SDS_ERR_INVALID_CONTEXT, SDS_ERR_FORKED};
    size_t i, j;

    for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        EXPECT(strlen(SdsStatusString(statuses[i])) > 0);
        EXPECT(strcmp(SdsStatusString(statuses[i]), "unknown status") != 0);
        for (j = 0; j < i; j++)
            EXPECT(strcmp(SdsStatusString(statuses[i]), SdsStatusString(statuses[j])) != 0);
    }
    EXPECT_TEXT(SdsStatusString(3), "unknown status");
    EXPECT_TEXT(SdsStatusString(-1), "unknown status");
    EXPECT_TEXT(SdsVersion(), SDS_VERSION);
    EXPECT_NUMBER(SdsAbiVersion(), SDS_ABI_VERSION);
}

/* ---- persistence ---------------------------------------------------------------- */

static void options_bring_procedures(void)
{
    struct database *database = new_database(1);
    struct diary *heard = new_diary();
    SdsOptions options = {0};
    void *alice = NULL, *bob = open_native("bob", NULL, NULL);
    char *error = NULL;
    struct bytes first;

    options.size = sizeof options;
    options.participantId = "alice";
    options.persistence = &database->procedures;
    options.persistenceUserData = database;
    EXPECT_STATUS(SdsOpen(&options, &alice, &error), SDS_OK);
    first = wrap_native(bob, "channel", "m1", "one");
    receive(alice, first);
    close_native(alice);

    options.eventHandler = keep_event;
    options.eventUserData = heard;
    EXPECT_STATUS(SdsOpen(&options, &alice, &error), SDS_OK);
    receive(alice, first);
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_READY, NULL), 0);
    database->faults[DROP].returned = 5;
    database->faults[DROP].words = "the table is locked";
    database->faults[DROP].times = 1;
    EXPECT_WORDS(SdsDropChannel(alice, "channel", &error), SDS_ERR_PERSISTENCE,
                 "libsds error: channel \"channel\": the table is locked");
    EXPECT_STATUS(SdsReset(alice, &error), SDS_OK);
    receive(alice, first);
    EXPECT_NUMBER(diary_count(heard, SDS_EVENT_MESSAGE_READY, "m1"), 1);
    close_native(alice);

    database->procedures.loadChannel = NULL;
    EXPECT_WORDS(SdsOpen(&options, &alice, &error), SDS_ERR_INVALID_ARGUMENT,
                 "libsds error: SdsPersistence lacks loadChannel");
    close_native(bob);
}

/* ---- the log ----------------------------------------------------------------------- */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[1 << 16];
static atomic_int log_calls;

static void keep_line(int level, const char *line, size_t length, void *userData)
{
    (void)userData;
    EXPECT_NUMBER(strlen(line), length);
    EXPECT(strchr(line, '\n') == NULL);
    pthread_mutex_lock(&log_lock);
    if (strlen(lines) + length + 20 < sizeof lines)
        sprintf(lines + strlen(lines), "%d %s\n", level, line);
    pthread_mutex_unlock(&log_lock);
    atomic_fetch_add(&log_calls, 1);
}

/* What goes to the log of a store that fails for this. */
static void fail_to_save(void)
{
    struct database *database = new_database(1);
    SdsOptions options = {0};
    void *alice = NULL;
    char *error = NULL;

    options.size = sizeof options;
    options.persistence = &database->procedures;
    options.persistenceUserData = database;
    database->faults[SAVE_META].returned = database->faults[COMMIT].returned = 5;
    database->faults[SAVE_META].words = database->faults[COMMIT].words = "no room";
    database->faults[SAVE_META].times = database->faults[COMMIT].times = 1;
    EXPECT_STATUS(SdsOpen(&options, &alice, &error), SDS_OK);
    wrap_native(alice, "lobby", "m1", "secret content");
    close_native(alice);
}

static void the_log_goes_to_its_handler_and_nowhere_else(void)
{
    lines[0] = '\0';
    fail_to_save();
    EXPECT_NUMBER(atomic_load(&log_calls), 0);
    EXPECT_NUMBER(SdsSetLogHandler(keep_line, 8, NULL), SDS_OK);
    fail_to_save();
    EXPECT_NUMBER(SdsSetLogHandler(NULL, 0, NULL), SDS_OK);
    EXPECT(strncmp(lines, "8 msg=", 6) == 0);
    EXPECT(strstr(lines, "channel=lobby") != NULL);
    EXPECT(strstr(lines, "no room") != NULL);
    EXPECT(strstr(lines, "time=") == NULL);
    atomic_store(&log_calls, 0);
    fail_to_save();
    EXPECT_NUMBER(atomic_load(&log_calls), 0);
}

/* Every kind of operation, with contents that can be recognised. */
static void the_log_never_has_content(void)
{
    static const char content[] = "Xyzzy-plugh-content";
    void *alice, *bob;
    uint8_t *message = NULL;
    size_t length = 0;
    char *error = NULL;
    struct bytes lost;

    lines[0] = '\0';
    EXPECT_NUMBER(SdsSetLogHandler(keep_line, -4, NULL), SDS_OK);
    alice = open_native("alice", "{\"maxContentBytes\":100}", NULL);
    bob = open_native("bob", NULL, NULL);
    lost = wrap_native(alice, "lobby", "m1", content);
    receive(bob, wrap_native(alice, "lobby", "m2", content));
    receive(bob, lost);
    EXPECT_STATUS(SdsWrapEphemeral(alice, "lobby", "m3", content, strlen(content), &message, &length, &error), SDS_OK);
    receive(bob, taken(message, length));
    lost.length -= 1;
    SdsUnwrap(bob, lost.data, lost.length, &(SdsUnwrapped *){NULL}, NULL);
    SdsUnwrap(bob, content, sizeof content, &(SdsUnwrapped *){NULL}, NULL);
    tick(alice, unix_ms());
    tick(alice, unix_ms() + 3600000);
    close_native(alice);
    close_native(bob);
    EXPECT_NUMBER(SdsSetLogHandler(NULL, 0, NULL), SDS_OK);
    EXPECT(strstr(lines, "operation=wrap channel=lobby message=m1") != NULL);
    EXPECT(strstr(lines, "operation=unwrap channel=lobby message=m2") != NULL);
    EXPECT(strstr(lines, "Xyzzy") == NULL);
    EXPECT(strstr(lines, "58797a7a79") == NULL); /* in hexadecimal */
    EXPECT(strstr(lines, "WHl6enkt") == NULL);   /* in base64 */
}

static void call_from_the_log(int level, const char *line, size_t length, void *userData)
{
    void **ctx = userData;
    uint8_t *message = NULL;
    size_t size = 0;
    char *error = NULL;

    (void)level;
    (void)line;
    (void)length;
    atomic_fetch_add(&log_calls, 1);
    EXPECT_WORDS(SdsWrap(*ctx, "channel", "m", "x", 1, &message, &size, &error), SDS_ERR_INVALID_ARGUMENT,
                 "libsds error: called from inside a log handler");
    EXPECT_NUMBER(SdsSetLogHandler(NULL, 0, NULL), SDS_ERR_INVALID_ARGUMENT);
    EXPECT_NUMBER(SdsClose(*ctx), SDS_ERR_INVALID_ARGUMENT);
    SdsFree(NULL);
    EXPECT_TEXT(SdsVersion(), SDS_VERSION);
}

static void a_log_handler_cannot_call_back(void)
{
    void *ctx = NULL;
    char *error = NULL;

    atomic_store(&log_calls, 0);
    EXPECT_NUMBER(SdsSetLogHandler(call_from_the_log, -4, &ctx), SDS_OK);
    EXPECT_STATUS(SdsOpen(NULL, &ctx, &error), SDS_OK);
    wrap_native(ctx, "channel", "m1", "one");
    EXPECT_NUMBER(SdsSetLogHandler(NULL, 0, NULL), SDS_OK);
    EXPECT(atomic_load(&log_calls) > 0);
    close_native(ctx);
}

struct log_user {
    atomic_int gone;
};

static void look_at_user(int level, const char *line, size_t length, void *userData)
{
    struct log_user *user = userData;

    (void)level;
    (void)line;
    (void)length;
    EXPECT_NUMBER(atomic_load(&user->gone), 0);
}

static atomic_int busy;

static void *keep_busy(void *argument)
{
    void *ctx = argument;
    int i;

    for (i = 0; atomic_load(&busy); i++) {
        uint8_t *message = NULL;
        size_t length = 0;

        SdsWrapEphemeral(ctx, "channel", "m", "x", 1, &message, &length, NULL);
        SdsFree(message);
    }
    return NULL;
}

static void a_log_handler_is_not_called_once_it_was_replaced(void)
{
    void *ctx = open_native("alice", NULL, NULL);
    pthread_t threads[4];
    int i;

    atomic_store(&busy, 1);
    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, keep_busy, ctx);
    for (i = 0; i < scaled(200); i++) {
        struct log_user *user = scratch(sizeof *user);

        EXPECT_NUMBER(SdsSetLogHandler(look_at_user, -4, user), SDS_OK);
        sleep_ms(1);
        EXPECT_NUMBER(SdsSetLogHandler(NULL, 0, NULL), SDS_OK);
        atomic_store(&user->gone, 1);
    }
    atomic_store(&busy, 0);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    close_native(ctx);
}

/* ---- callbacks ---------------------------------------------------------------------- */

struct closing {
    void *ctx;
    int events;
};

static void close_from_inside(const SdsEvent *event, void *userData)
{
    struct closing *closing = userData;

    (void)event;
    closing->events++;
    EXPECT_NUMBER(SdsClose(closing->ctx), SDS_OK);
    EXPECT_NUMBER(SdsClose(closing->ctx), SDS_ERR_INVALID_CONTEXT);
}

static void a_handler_may_close_its_context(void)
{
    struct closing closing = {0};
    void *alice = open_native("alice", NULL, NULL), *bob = open_native("bob", NULL, NULL);
    struct bytes first = wrap_native(alice, "channel", "m1", "one"), second = wrap_native(alice, "channel", "m2", "two");

    receive(bob, second);
    closing.ctx = bob;
    received[0] = '\0';
    SdsSetEventCallback(bob, note_text, NULL); /* the event of second goes here */
    EXPECT_NUMBER(SdsSetEventHandler(bob, close_from_inside, &closing), SDS_OK);
    receive(bob, first); /* its result still comes */
    EXPECT_NUMBER(closing.events, 1);
    EXPECT_TEXT(received, "text:m2 text:m1 "); /* what came after was dropped */
    close_native(alice);
}

struct nesting {
    void *ctx;
    struct bytes next;
    char *order;
};

static void receive_more(const SdsEvent *event, void *userData)
{
    struct nesting *nesting = userData;
    struct bytes next = nesting->next;

    sprintf(nesting->order + strlen(nesting->order), "(%s", event->messageId);
    nesting->next.length = 0;
    if (next.length > 0)
        receive(nesting->ctx, next);
    sprintf(nesting->order + strlen(nesting->order), ")%s", event->messageId);
}

/* The struct of the outer event stays as it is while a nested call delivers another. */
static void a_handler_may_call_its_context(void)
{
    struct nesting nesting = {0};
    void *alice = open_native("alice", NULL, NULL), *bob = open_native("bob", NULL, NULL);
    struct bytes first = wrap_native(alice, "channel", "m1", "one");

    nesting.order = scratch(100);
    nesting.ctx = bob;
    nesting.next = wrap_native(alice, "channel", "m2", "two");
    EXPECT_NUMBER(SdsSetEventHandler(bob, receive_more, &nesting), SDS_OK);
    receive(bob, first);
    EXPECT_TEXT(nesting.order, "(m1(m2)m2)m1");
    close_native(alice);
    close_native(bob);
}

/* ---- insight ------------------------------------------------------------------------ */

/* stat returns a sample of a metric, the one with this label's value unless that is NULL; -1 where there is none. */
static long long stat_of(void *ctx, const char *name, const char *label)
{
    char *text = NULL, *error = NULL;
    struct json metrics, key, metric;
    const char *at = NULL;
    long long value = -1;

    EXPECT_STATUS(SdsStats(ctx, &text, &error), SDS_OK);
    metrics = json_get(json_parse(text, strlen(text)), "metrics");
    while (json_next(metrics, &at, &key, &metric)) {
        struct json sample, labels, label_value;
        const char *place = NULL, *inner = NULL;
        char *its_name = json_string(json_get(metric, "name"));

        if (its_name == NULL || strcmp(its_name, name) != 0)
            continue;
        EXPECT(strlen(json_string(json_get(metric, "help"))) > 0);
        while (json_next(json_get(metric, "samples"), &place, &key, &sample)) {
            labels = json_get(sample, "labels");
            inner = NULL;
            if (label == NULL || (json_next(labels, &inner, &key, &label_value) && json_string(label_value) != NULL &&
                                  strcmp(json_string(label_value), label) == 0))
                value = json_number(json_get(sample, "value"));
        }
    }
    SdsFree(text);
    return value;
}

static void stats_count_what_happened(void)
{
    void *alice = open_native("alice", NULL, NULL), *bob = open_native("bob", NULL, NULL);
    struct bytes first = wrap_native(alice, "channel", "m1", "one"), second = wrap_native(alice, "channel", "m2", "two");

    receive(bob, second);
    receive(bob, first);
    receive(bob, first);
    SdsUnwrap(bob, "no", 2, &(SdsUnwrapped *){NULL}, NULL);
    EXPECT_NUMBER(stat_of(alice, "sds_messages_wrapped_total", "content"), 2);
    EXPECT_NUMBER(stat_of(alice, "sds_sent_bytes_total", "content"), (long long)(first.length + second.length));
    EXPECT_NUMBER(stat_of(bob, "sds_messages_unwrapped_total", "content"), 3);
    EXPECT_NUMBER(stat_of(bob, "sds_messages_delivered_total", NULL), 2);
    EXPECT_NUMBER(stat_of(bob, "sds_messages_duplicate_total", NULL), 1);
    EXPECT_NUMBER(stat_of(bob, "sds_messages_buffered_total", NULL), 1);
    EXPECT_NUMBER(stat_of(bob, "sds_payloads_refused_total", "not_sds"), 1);
    EXPECT_NUMBER(stat_of(bob, "sds_channels", NULL), 1);
    close_native(alice);
    close_native(bob);
}

/* allocated_for returns how much the library's own heap takes for a wrap, or for the unwrap of what that gave, of
 * contents of this size. */
static double allocated_for(size_t size, int unwraps)
{
    static const char config[] = "{" SMALL_FILTER ",\"maxMessageHistory\":10}";
    void *alice = open_native("alice", config, NULL), *bob = open_native("bob", config, NULL);
    unsigned char *content = scratch(size);
    enum { COUNT = 20 };
    struct bytes wires[COUNT];
    long long before = 0;
    int i;

    for (i = -5; i < COUNT; i++) { /* the first ones also warm up */
        uint8_t *message = NULL;
        size_t length = 0;
        char id[16], *error = NULL;

        if (i == 0)
            before = stat_of(alice, "sds_runtime_allocated_bytes_total", NULL);
        snprintf(id, sizeof id, "m%d", i);
        EXPECT_STATUS(SdsWrap(alice, "channel", id, content, size, &message, &length, &error), SDS_OK);
        if (i < 0 && unwraps)
            receive(bob, taken(message, length));
        else if (unwraps)
            wires[i] = taken(message, length);
        else
            SdsFree(message);
    }
    if (unwraps) {
        before = stat_of(bob, "sds_runtime_allocated_bytes_total", NULL);
        for (i = 0; i < COUNT; i++)
            receive(bob, wires[i]);
    }
    before = stat_of(alice, "sds_runtime_allocated_bytes_total", NULL) - before;
    close_native(alice);
    close_native(bob);
    return (double)before / COUNT;
}

/* The core keeps a message, once. Nothing else of the size of a content is made beside the block that the host gets. */
static void the_heap_takes_each_content_once(void)
{
    size_t small = 1 << 10, large = 512 << 10;
    int unwraps;

    for (unwraps = 0; unwraps < 2; unwraps++) {
        double more = (allocated_for(large, unwraps) - allocated_for(small, unwraps)) / (double)(large - small);

        if (!EXPECT(more > 0.95 && more < 1.1))
            printf("        %.2f bytes for a byte of content\n", more);
    }
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(an_unwrapped_message_is_described_in_full);
    RUN(a_message_that_waits_is_delivered_in_causal_order);
    RUN(what_is_marked_as_met_is_waited_for_no_longer);
    RUN(a_cited_message_is_acknowledged);
    RUN(a_sync_message_tells_and_asks_what_a_message_would);
    RUN(an_ephemeral_message_leaves_no_trace);
    RUN(contents_of_every_size_arrive);
    RUN(blocks_outlive_their_context);
    RUN(an_id_with_a_nul_is_a_key_like_any_other);
    RUN(the_hint_of_the_host_travels_with_the_dependency);
    RUN(each_event_goes_to_the_callback_and_then_to_the_handler);
    RUN(a_context_of_either_api_can_be_used_with_the_other);
    RUN(the_hosts_loop_drives_everything);
    RUN(a_context_that_is_ticked_has_no_thread);
    RUN(one_context_has_one_clock);
    RUN(a_time_that_counts_no_milliseconds_is_refused);
    RUN(both_ends_of_time_can_be_ticked);
    RUN(errors_name_the_culprit);
    RUN(a_bad_configuration_names_key_value_and_what_it_takes);
    RUN(options_of_an_older_host_are_understood);
    RUN(every_status_has_words);
    RUN(options_bring_procedures);
    RUN(the_log_goes_to_its_handler_and_nowhere_else);
    RUN(the_log_never_has_content);
    RUN(a_log_handler_cannot_call_back);
    RUN(a_log_handler_is_not_called_once_it_was_replaced);
    RUN(a_handler_may_close_its_context);
    RUN(a_handler_may_call_its_context);
    RUN(stats_count_what_happened);
    RUN(the_heap_takes_each_content_once);
    return expect_end();
}
