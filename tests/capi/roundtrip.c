/*
 * Contexts that talk with each other: results, acknowledgements, missing
 * dependencies, hints, repair, resends, and the events that tell of them.
 */
#include "host.h"
#include "payload.h"

static void listen_to(void *ctx, struct journal *journal)
{
    SdsSetEventCallback(ctx, journal_event, journal);
}

static const char *nth_missing(struct json result, size_t index)
{
    return json_string(json_get(json_at(json_get(result, "missingDeps"), index), "messageId"));
}

static void an_unwrapped_message_is_described_in_full(void)
{
    static const char as_before[] = "{\"message\":[104,105],\"channelId\":\"channel\",\"missingDeps\":[]";
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct journal *heard = new_journal();
    struct json result;
    char *own;

    listen_to(bob, heard);
    result = unwrapped(bob, wrapped(alice, "channel", "m1", "hi"));
    EXPECT(json_is(json_get(result, "message"), "[104,105]"));
    EXPECT_TEXT(json_string(json_get(result, "channelId")), "channel");
    EXPECT_NUMBER(json_count(json_get(result, "missingDeps")), 0);
    EXPECT_TEXT(json_string(json_get(result, "messageId")), "m1");
    EXPECT_TEXT(json_string(json_get(result, "senderId")), "alice");
    EXPECT_TEXT(json_string(json_get(result, "kind")), "content");
    EXPECT(json_number(json_get(result, "lamportTimestamp")) >= (long long)time(NULL) - 3600);
    EXPECT(json_is(json_get(result, "duplicate"), "false"));
    EXPECT(json_is(json_get(result, "buffered"), "false"));

    /* The members of the replaced library come first, in its order: some hosts look no further. */
    own = scratch_copy(result.start, (size_t)(result.end - result.start));
    EXPECT(strncmp(own, as_before, sizeof as_before - 1) == 0);

    EXPECT_NUMBER(heard->count, 1);
    EXPECT_TEXT(json_string(json_get(journal_find(heard, "message_ready", "m1"), "channelId")), "channel");
    close_context(alice);
    close_context(bob);
}

static void every_byte_value_survives(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    unsigned char content[512];
    struct answer sent;
    struct json message;
    size_t i;

    for (i = 0; i < sizeof content; i++)
        content[i] = (unsigned char)i;
    sent = wrap_bytes(alice, "channel", "m1", content, sizeof content);
    EXPECT_OK(sent);
    message = json_get(unwrapped(bob, read_decimal(sent.text)), "message");
    EXPECT_NUMBER(json_count(message), sizeof content);
    for (i = 0; i < sizeof content; i++)
        EXPECT_NUMBER(json_number(json_at(message, i)), content[i]);
    close_context(alice);
    close_context(bob);
}

static void a_message_in_the_causal_history_is_acknowledged(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct journal *heard = new_journal();

    listen_to(alice, heard);
    unwrapped(bob, wrapped(alice, "channel", "m1", "one"));
    EXPECT_NUMBER(journal_count(heard, "message_sent", NULL), 0);
    unwrapped(alice, wrapped(bob, "channel", "m2", "two"));
    EXPECT_NUMBER(journal_count(heard, "message_sent", "m1"), 1);
    EXPECT_TEXT(json_string(json_get(journal_find(heard, "message_sent", "m1"), "channelId")), "channel");
    EXPECT_NUMBER(journal_count(heard, "message_ready", "m2"), 1);
    close_context(alice);
    close_context(bob);
}

static void a_message_waits_for_what_it_depends_on(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct journal *heard = new_journal();
    struct bytes first = wrapped(alice, "channel", "m1", "one"), second = wrapped(alice, "channel", "m2", "two"),
                 third = wrapped(alice, "channel", "m3", "three");
    struct json result, event;

    listen_to(bob, heard);
    result = unwrapped(bob, third);
    EXPECT(json_is(json_get(result, "message"), "[116,104,114,101,101]"));
    EXPECT_NUMBER(json_count(json_get(result, "missingDeps")), 2);
    EXPECT_TEXT(nth_missing(result, 0), "m1");
    EXPECT_TEXT(nth_missing(result, 1), "m2");
    EXPECT(json_is(json_get(result, "buffered"), "true"));
    EXPECT_NUMBER(journal_count(heard, "message_ready", NULL), 0);
    event = journal_find(heard, "missing_dependencies", "m3");
    EXPECT_TEXT(json_string(json_get(event, "channelId")), "channel");
    EXPECT_TEXT(nth_missing(event, 0), "m1");
    EXPECT_TEXT(nth_missing(event, 1), "m2");

    /* Again, while it waits: what is missing now, and no second insertion. */
    result = unwrapped(bob, first);
    EXPECT_NUMBER(json_count(json_get(result, "missingDeps")), 0);
    result = unwrapped(bob, third);
    EXPECT(json_is(json_get(result, "buffered"), "true"));
    EXPECT_NUMBER(json_count(json_get(result, "missingDeps")), 1);
    EXPECT_TEXT(nth_missing(result, 0), "m2");

    unwrapped(bob, second);
    EXPECT_NUMBER(journal_count(heard, "message_ready", NULL), 3);
    EXPECT_NUMBER(journal_count(heard, "message_ready", "m3"), 1);
    EXPECT(event_matches(heard->entries[heard->count - 2], "message_ready", "m2"));
    EXPECT(event_matches(heard->entries[heard->count - 1], "message_ready", "m3"));
    close_context(alice);
    close_context(bob);
}

static void what_the_host_marks_as_met_is_waited_for_no_longer(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct journal *heard = new_journal();
    struct bytes last;
    char first[] = "m1", second[] = "m2";
    char *ids[] = {first, second};

    listen_to(bob, heard);
    wrapped(alice, "channel", "m1", "one");
    wrapped(alice, "channel", "m2", "two");
    last = wrapped(alice, "channel", "m3", "three");
    unwrapped(bob, last);
    EXPECT_DONE(mark_met(bob, "channel", ids, 1));
    EXPECT_NUMBER(journal_count(heard, "message_ready", NULL), 0);
    EXPECT_DONE(mark_met(bob, "channel", ids, 2));
    EXPECT_NUMBER(journal_count(heard, "message_ready", "m3"), 1);
    close_context(alice);
    close_context(bob);
}

static void a_duplicate_is_returned_but_not_delivered_again(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct journal *heard = new_journal();
    struct bytes wire = wrapped(alice, "channel", "m1", "hi");
    struct json result;

    listen_to(bob, heard);
    unwrapped(bob, wire);
    result = unwrapped(bob, wire);
    EXPECT(json_is(json_get(result, "duplicate"), "true"));
    EXPECT(json_is(json_get(result, "message"), "[104,105]"));
    EXPECT_NUMBER(journal_count(heard, "message_ready", "m1"), 1);

    /* The sender's own message comes back from the network. */
    result = unwrapped(alice, wire);
    EXPECT(json_is(json_get(result, "duplicate"), "true"));
    close_context(alice);
    close_context(bob);
}

static void channels_do_not_know_of_each_other(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct json result;

    wrapped(alice, "one", "m1", "lost");
    result = unwrapped(bob, wrapped(alice, "two", "m2", "hi"));
    EXPECT_TEXT(json_string(json_get(result, "channelId")), "two");
    EXPECT_NUMBER(json_count(json_get(result, "missingDeps")), 0);
    close_context(alice);
    close_context(bob);
}

/* How often a provider was asked; what it gives is the library's to free. */
struct hints {
    int asked;
    int only_the_first; /* gives a hint once, then NULL */
};

static void give_hint(const char *messageId, char **hint, size_t *hintLen, void *userData)
{
    struct hints *hints = userData;
    char text[64];

    hints->asked++;
    if (hints->only_the_first && hints->asked > 1)
        return;
    snprintf(text, sizeof text, "hint of %.32s", messageId);
    *hintLen = strlen(text);
    *hint = malloc(*hintLen);
    if (*hint != NULL)
        memcpy(*hint, text, *hintLen);
}

static void give_empty_hint(const char *messageId, char **hint, size_t *hintLen, void *userData)
{
    (void)messageId;
    ++*(int *)userData;
    *hint = malloc(1); /* to be freed although it is empty */
    *hintLen = 0;
}

static void the_hint_of_the_host_travels_with_the_dependency(void)
{
    static const char expected[] = "hint of m1";
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct hints hints = {0, 0};
    struct json result;
    struct bytes hint;

    SdsSetRetrievalHintProvider(alice, give_hint, &hints);
    wrapped(alice, "channel", "m1", "lost");
    result = unwrapped(bob, wrapped(alice, "channel", "m2", "two"));
    EXPECT(hints.asked > 0);
    EXPECT_TEXT(nth_missing(result, 0), "m1");
    hint = read_base64(json_string(json_get(json_at(json_get(result, "missingDeps"), 0), "retrievalHint")));
    EXPECT_NUMBER(hint.length, sizeof expected - 1);
    EXPECT(hint.length == sizeof expected - 1 && memcmp(hint.data, expected, hint.length) == 0);
    close_context(alice);
    close_context(bob);
}

static void a_hint_once_given_is_kept(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct hints hints = {0, 1};
    struct json dependency;

    SdsSetRetrievalHintProvider(alice, give_hint, &hints);
    wrapped(alice, "channel", "m1", "lost");
    wrapped(alice, "channel", "m2", "lost as well");
    SdsSetRetrievalHintProvider(alice, NULL, NULL);
    dependency = json_at(json_get(unwrapped(bob, wrapped(alice, "channel", "m3", "three")), "missingDeps"), 0);
    EXPECT_TEXT(json_string(json_get(dependency, "messageId")), "m1");
    EXPECT(read_base64(json_string(json_get(dependency, "retrievalHint"))).length > 0);
    close_context(alice);
    close_context(bob);
}

static void an_empty_hint_is_no_hint(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    int asked = 0;
    struct json dependency;
    const char *hint;

    SdsSetRetrievalHintProvider(alice, give_empty_hint, &asked);
    wrapped(alice, "channel", "m1", "lost");
    dependency = json_at(json_get(unwrapped(bob, wrapped(alice, "channel", "m2", "two")), "missingDeps"), 0);
    hint = json_string(json_get(dependency, "retrievalHint"));
    EXPECT(asked > 0);
    EXPECT(hint == NULL || *hint == '\0');
    close_context(alice);
    close_context(bob);
}

/* A sync message: no content. */
static void a_sync_message_is_known_as_such_and_not_announced(void)
{
    void *bob = open_context("bob", NULL);
    struct journal *heard = new_journal();
    struct payload payload = {0};
    struct json result;

    listen_to(bob, heard);
    payload_text(&payload, 1, "s1");
    payload_number(&payload, 2, 5);
    payload_text(&payload, 4, "channel");
    payload_bytes(&payload, 5, NULL, 0);
    payload_text(&payload, 7, "alice");
    result = unwrapped(bob, payload_view(&payload));
    EXPECT_TEXT(json_string(json_get(result, "kind")), "sync");
    EXPECT(json_is(json_get(result, "message"), "[]"));
    EXPECT_NUMBER(journal_count(heard, "message_ready", NULL), 0);
    payload_free(&payload);
    close_context(bob);
}

/* A message without a lamport: delivered at once, and forgotten. */
static void an_ephemeral_message_is_delivered_each_time(void)
{
    void *bob = open_context("bob", NULL);
    struct journal *heard = new_journal();
    struct payload payload = {0};
    struct json result;

    listen_to(bob, heard);
    payload_text(&payload, 1, "e1");
    payload_text(&payload, 4, "channel");
    payload_text(&payload, 5, "hi");
    result = unwrapped(bob, payload_view(&payload));
    EXPECT_TEXT(json_string(json_get(result, "kind")), "ephemeral");
    EXPECT(json_is(json_get(result, "message"), "[104,105]"));
    unwrapped(bob, payload_view(&payload));
    EXPECT_NUMBER(journal_count(heard, "message_ready", "e1"), 2);
    payload_free(&payload);
    close_context(bob);
}

static void a_lost_message_is_asked_for_and_repaired(void)
{
    static const char config[] = "{" SMALL_FILTER ",\"repairTMinMs\":1,\"repairTMaxMs\":400,\"repairSweepIntervalMs\":20}";
    void *alice = open_context("alice", config), *bob = open_context("bob", config);
    struct journal *at_alice = new_journal(), *at_bob = new_journal();
    struct bytes repaired;
    struct json event;
    double limit = seconds_now() + 60;
    int i;

    listen_to(alice, at_alice);
    listen_to(bob, at_bob);
    EXPECT_DONE(start_tasks(alice));
    wrapped(alice, "channel", "m1", "lost");
    unwrapped(bob, wrapped(alice, "channel", "m2", "two"));

    /* Bob talks on; one of his messages carries the request once its time has come. */
    for (i = 0; journal_count(at_alice, "repair_ready", NULL) == 0 && seconds_now() < limit; i++) {
        char id[32];

        snprintf(id, sizeof id, "b%d", i);
        unwrapped(alice, wrapped(bob, "channel", id, "chatter"));
        sleep_ms(20);
    }
    event = journal_wait(at_alice, "repair_ready", NULL);
    EXPECT_TEXT(json_string(json_get(event, "channelId")), "channel");
    repaired = read_base64(json_string(json_get(event, "message")));
    EXPECT(repaired.length > 0);
    EXPECT_TEXT(json_string(json_get(unwrapped(bob, repaired), "messageId")), "m1");
    EXPECT_NUMBER(journal_count(at_bob, "message_ready", "m1"), 1);
    EXPECT_NUMBER(journal_count(at_bob, "message_ready", "m2"), 1);
    close_context(alice);
    close_context(bob);
}

static void what_nobody_acknowledges_is_resent_and_then_given_up(void)
{
    void *alice = open_context("alice", "{" SMALL_FILTER ",\"resendIntervalMs\":30,\"bufferSweepIntervalMs\":20,"
                                        "\"maxResendAttempts\":2}");
    void *bob = open_context("bob", NULL);
    struct journal *heard = new_journal();
    struct json resend, failure, result;

    listen_to(alice, heard);
    wrapped(alice, "channel", "m1", "hi");
    EXPECT_DONE(start_tasks(alice));
    failure = journal_wait(heard, "message_delivery_failed", "m1");
    EXPECT_TEXT(json_string(json_get(failure, "channelId")), "channel");
    EXPECT_NUMBER(json_number(json_get(failure, "attempts")), 2);
    EXPECT_NUMBER(journal_count(heard, "resend_ready", "m1"), 2);
    resend = journal_find(heard, "resend_ready", "m1");
    EXPECT_TEXT(json_string(json_get(resend, "channelId")), "channel");
    EXPECT_NUMBER(json_number(json_get(resend, "attempt")), 1);
    result = unwrapped(bob, read_base64(json_string(json_get(resend, "message"))));
    EXPECT_TEXT(json_string(json_get(result, "messageId")), "m1");
    EXPECT(json_is(json_get(result, "message"), "[104,105]"));
    EXPECT_NUMBER(journal_count(heard, "message_sent", NULL), 0);
    close_context(alice);
    close_context(bob);
}

static void periodic_sync_names_the_channels_that_have_something_to_say(void)
{
    void *alice = open_context("alice", "{\"syncMessageIntervalMs\":20}");
    struct journal *heard = new_journal();
    struct json channels;

    listen_to(alice, heard);
    wrapped(alice, "channel", "m1", "hi");
    EXPECT_DONE(start_tasks(alice));
    channels = json_get(journal_wait(heard, "periodic_sync", NULL), "channelIds");
    EXPECT_NUMBER(json_count(channels), 1);
    EXPECT_TEXT(json_string(json_at(channels, 0)), "channel");
    close_context(alice);
}

static void dependencies_that_never_come_are_given_up(void)
{
    void *alice = open_context("alice", NULL);
    void *bob = open_context("bob", "{\"missingDependencyTimeoutMs\":30,\"bufferSweepIntervalMs\":20}");
    struct journal *heard = new_journal();
    struct json event, lost;
    long position;

    listen_to(bob, heard);
    wrapped(alice, "channel", "m1", "lost");
    unwrapped(bob, wrapped(alice, "channel", "m2", "two"));
    EXPECT_DONE(start_tasks(bob));
    journal_wait(heard, "message_ready", "m2");
    event = journal_find(heard, "dependencies_lost", "m2");
    EXPECT_TEXT(json_string(json_get(event, "channelId")), "channel");
    lost = json_get(event, "lostDeps");
    EXPECT_NUMBER(json_count(lost), 1);
    EXPECT_TEXT(json_string(json_get(json_at(lost, 0), "messageId")), "m1");
    pthread_mutex_lock(&heard->lock);
    position = journal_find_locked(heard, 0, "dependencies_lost", "m2");
    EXPECT(journal_find_locked(heard, 0, "message_ready", "m2") > position);
    pthread_mutex_unlock(&heard->lock);
    close_context(alice);
    close_context(bob);
}

static void events_wait_for_a_callback(void)
{
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    struct journal *heard = new_journal();

    unwrapped(bob, wrapped(alice, "channel", "m1", "one"));
    unwrapped(bob, wrapped(alice, "channel", "m2", "two"));
    listen_to(bob, heard);
    EXPECT_NUMBER(heard->count, 2);
    EXPECT(event_matches(heard->entries[0], "message_ready", "m1"));
    EXPECT(event_matches(heard->entries[1], "message_ready", "m2"));
    EXPECT(pthread_equal(heard->entries[0].thread, pthread_self()));

    /* Taken away and set again: what happened in between is told, what was told is not repeated. */
    SdsSetEventCallback(bob, NULL, NULL);
    unwrapped(bob, wrapped(alice, "channel", "m3", "three"));
    EXPECT_NUMBER(heard->count, 2);
    listen_to(bob, heard);
    EXPECT_NUMBER(heard->count, 3);
    EXPECT(event_matches(heard->entries[2], "message_ready", "m3"));
    close_context(alice);
    close_context(bob);
}

static void the_newest_1024_events_are_kept(void)
{
    enum { KEPT = 1024, SENT = KEPT + 76 };
    void *bob = open_context("bob", "{\"maxMessageHistory\":10}");
    struct journal *heard = new_journal();
    struct payload payload = {0};
    char id[32];
    int i;

    for (i = 0; i < SENT; i++) {
        atomic_int calls = 0;

        payload.length = 0;
        snprintf(id, sizeof id, "m%d", i);
        payload_text(&payload, 1, id);
        payload_number(&payload, 2, (uint64_t)i + 1);
        payload_text(&payload, 4, "channel");
        payload_text(&payload, 5, "hi");
        EXPECT_NUMBER(SdsUnwrapReceivedMessage(bob, payload.data, payload.length, count_calls, &calls), RET_OK);
    }
    payload_free(&payload);
    listen_to(bob, heard);
    EXPECT_NUMBER(heard->count, KEPT);
    snprintf(id, sizeof id, "m%d", SENT - KEPT);
    EXPECT(event_matches(heard->entries[0], "message_ready", id));
    snprintf(id, sizeof id, "m%d", SENT - 1);
    EXPECT(heard->count > 0 && event_matches(heard->entries[heard->count - 1], "message_ready", id));
    close_context(bob);
}

static void ids_are_escaped_as_json_demands(void)
{
    static const char *const ids[] = {
        "with \"quotes\"", "back\\slash", "new\nline", "tab\tand\rreturn", "\x01\x1f\x7f", "</script>&amp;", "{\"a\":[1]}",
        "gr\xc3\xbc\xc3\x9f dich", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x90\x98", "\xe2\x80\xa8\xe2\x80\xa9", " ", "\\u0041",
    };
    size_t i;

    for (i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        void *alice = open_context(ids[i], "{" SMALL_FILTER "}"), *bob = open_context("bob", "{" SMALL_FILTER "}");
        struct journal *heard = new_journal();
        struct json result, event;

        listen_to(bob, heard);
        wrapped(alice, ids[i], ids[i], "lost");
        result = unwrapped(bob, wrapped(alice, ids[i], "m2", "two"));
        EXPECT_TEXT(json_string(json_get(result, "channelId")), ids[i]);
        EXPECT_TEXT(json_string(json_get(result, "senderId")), ids[i]);
        EXPECT_TEXT(nth_missing(result, 0), ids[i]);
        event = journal_find(heard, "missing_dependencies", "m2");
        EXPECT_TEXT(json_string(json_get(event, "channelId")), ids[i]);
        EXPECT_TEXT(nth_missing(event, 0), ids[i]);
        close_context(alice);
        close_context(bob);
    }
}

/* What the host passed is its own again when the call returns: it overwrites it at once. */
static void nothing_that_was_passed_is_kept(void)
{
    static const char *const senders[] = {"", "carol"};
    size_t i;

    for (i = 0; i < 2; i++) {
        void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
        struct journal *heard = new_journal();
        char channel[] = "channel", first[] = "m1", third[] = "m3", lost[] = "x1", content[] = "content";
        char *ids[] = {lost};
        struct payload payload = {0};
        struct json result;

        /* m2 waits for x1 and names its sender or does not. */
        payload_text(&payload, 1, "m2");
        payload_number(&payload, 2, 7);
        payload_text(&payload, 3, lost);
        payload_text(&payload, 4, channel);
        payload_text(&payload, 5, content);
        payload_text(&payload, 7, senders[i]);
        unwrapped(alice, payload_view(&payload));
        memset(payload.data, 0xee, payload.length);
        payload_free(&payload);
        EXPECT_DONE(mark_met(alice, channel, ids, 1));
        memset(lost, 0xee, sizeof lost - 1);

        wrapped(alice, channel, first, content);
        memset(first, 0xee, sizeof first - 1);
        memset(channel, 0xee, sizeof channel - 1);
        memset(content, 0xee, sizeof content - 1);
        result = unwrapped(bob, wrapped(alice, "channel", third, "last"));
        EXPECT_TEXT(nth_missing(result, 0), "m2");
        EXPECT_TEXT(nth_missing(result, 1), "m1");
        EXPECT_NUMBER(json_count(json_get(result, "missingDeps")), 2);
        listen_to(alice, heard);
        EXPECT_NUMBER(journal_count(heard, "missing_dependencies", "m2"), 1);
        EXPECT_NUMBER(journal_count(heard, "message_ready", "m2"), 1);
        EXPECT_TEXT(nth_missing(journal_find(heard, "missing_dependencies", "m2"), 0), "x1");
        close_context(alice);
        close_context(bob);
    }
}

/* Each writes its own format; all read all. */
static void contexts_of_different_wire_formats_understand_each_other(void)
{
    static const char *const formats[] = {"sds-0.2", "sds-0.3", "sds-0.4", "lip-109"};
    size_t writer, reader;

    for (writer = 0; writer < 4; writer++) {
        for (reader = 0; reader < 4; reader++) {
            char theirs[64], ours[64];
            void *alice, *bob;
            struct json result;

            snprintf(theirs, sizeof theirs, "{\"wireFormat\":\"%s\"}", formats[writer]);
            snprintf(ours, sizeof ours, "{\"wireFormat\":\"%s\"}", formats[reader]);
            alice = open_context("alice", theirs);
            bob = open_context("bob", ours);
            unwrapped(bob, wrapped(alice, "channel", "m1", "hi"));
            result = unwrapped(alice, wrapped(bob, "channel", "m2", "ho"));
            EXPECT_TEXT(json_string(json_get(result, "messageId")), "m2");
            EXPECT_NUMBER(json_count(json_get(result, "missingDeps")), 0);
            wrapped(alice, "channel", "m3", "lost");
            result = unwrapped(bob, wrapped(alice, "channel", "m4", "hi"));
            EXPECT_NUMBER(json_count(json_get(result, "missingDeps")), 1);
            EXPECT_TEXT(nth_missing(result, 0), "m3");
            close_context(alice);
            close_context(bob);
        }
    }
}

static void expect_format(void *ctx, const char *channel, const char *format)
{
    char *json = NULL;

    if (EXPECT_NUMBER(SdsInspect(ctx, channel, &json, NULL), SDS_OK))
        EXPECT_TEXT(json_string(json_get(json_parse(json, strlen(json)), "wireFormat")), format);
    SdsFree(json);
}

/* What the configuration names for a channel, else what made it, else wireFormat. */
static void each_channel_writes_a_format_of_its_own(void)
{
    void *mixed = open_context("mixed", "{\"channelWireFormats\":{\"garden\":\"lip-109\",\"named\":\"sds-0.3\"}}");
    void *other = open_context("other", "{\"wireFormat\":\"lip-109\"}");

    unwrapped(other, wrapped(mixed, "garden", "m1", "hi"));
    expect_format(mixed, "garden", "lip-109");
    unwrapped(mixed, wrapped(other, "named", "m2", "ho"));
    expect_format(mixed, "named", "sds-0.3");
    unwrapped(mixed, wrapped(other, "made by it", "m3", "ho"));
    expect_format(mixed, "made by it", "lip-109");
    unwrapped(other, wrapped(mixed, "made by us", "m4", "hi"));
    expect_format(mixed, "made by us", "sds-0.4");
    expect_format(other, "made by us", "sds-0.4");
    close_context(mixed);
    close_context(other);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(an_unwrapped_message_is_described_in_full);
    RUN(every_byte_value_survives);
    RUN(a_message_in_the_causal_history_is_acknowledged);
    RUN(a_message_waits_for_what_it_depends_on);
    RUN(what_the_host_marks_as_met_is_waited_for_no_longer);
    RUN(a_duplicate_is_returned_but_not_delivered_again);
    RUN(channels_do_not_know_of_each_other);
    RUN(the_hint_of_the_host_travels_with_the_dependency);
    RUN(a_hint_once_given_is_kept);
    RUN(an_empty_hint_is_no_hint);
    RUN(a_sync_message_is_known_as_such_and_not_announced);
    RUN(an_ephemeral_message_is_delivered_each_time);
    RUN(a_lost_message_is_asked_for_and_repaired);
    RUN(what_nobody_acknowledges_is_resent_and_then_given_up);
    RUN(periodic_sync_names_the_channels_that_have_something_to_say);
    RUN(dependencies_that_never_come_are_given_up);
    RUN(events_wait_for_a_callback);
    RUN(the_newest_1024_events_are_kept);
    RUN(ids_are_escaped_as_json_demands);
    RUN(nothing_that_was_passed_is_kept);
    RUN(contexts_of_different_wire_formats_understand_each_other);
    RUN(each_channel_writes_a_format_of_its_own);
    return expect_end();
}
