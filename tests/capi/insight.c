/*
 * The question that users ask their hosts: why is this message not delivered?
 * SdsChannels says which channel waits, and SdsInspect for what, since when, what
 * was asked of whom, and when the next attempt is due. The rule follows one
 * message from its loss to its repair.
 */
#include "native.h"

/* When Bob asks for a message depends on its id: for this one at once, and he goes on asking for a minute. */
static const char config[] = "{" SMALL_FILTER ",\"repairTMinMs\":60,\"repairTMaxMs\":60000,\"resendIntervalMs\":50000}";
static const char lost_id[] = "m1471";

/* inspected returns what a channel holds, checked to be JSON. */
static struct json inspected(void *ctx, const char *channel)
{
    char *text = NULL, *error = NULL, *copy;

    EXPECT_STATUS(SdsInspect(ctx, channel, &text, &error), SDS_OK);
    copy = text_copy(text != NULL ? text : "");
    SdsFree(text);
    EXPECT(json_first(json_parse(copy, strlen(copy))) == '{');
    return json_parse(copy, strlen(copy));
}

/* channel_of returns what SdsChannels says of a channel. */
static struct json channel_of(void *ctx, const char *id)
{
    char *text = NULL, *error = NULL, *copy;
    struct json key, channel, nothing = {NULL, NULL};
    const char *at = NULL;

    EXPECT_STATUS(SdsChannels(ctx, &text, &error), SDS_OK);
    copy = text_copy(text != NULL ? text : "");
    SdsFree(text);
    while (json_next(json_get(json_parse(copy, strlen(copy)), "channels"), &at, &key, &channel))
        if (strcmp(json_string(json_get(channel, "channelId")), id) == 0)
            return channel;
    return nothing;
}

/* message_in returns the entry of a message in one of the lists, or nothing. */
static struct json message_in(struct json list, const char *id)
{
    struct json key, entry, nothing = {NULL, NULL};
    const char *at = NULL;

    while (json_next(list, &at, &key, &entry))
        if (strcmp(json_string(json_get(entry, "messageId")), id) == 0)
            return entry;
    return nothing;
}

static int between(struct json time, int64_t earliest, int64_t latest)
{
    return json_number(time) >= earliest && json_number(time) <= latest;
}

static void why_is_this_message_not_delivered(void)
{
    void *alice = open_native("alice", config, NULL), *bob = open_native("bob", config, NULL);
    struct bytes lost = wrap_native(alice, "lobby", lost_id, "one"), second = wrap_native(alice, "lobby", "m2", "two");
    struct bytes third = wrap_native(alice, "lobby", "m3", "three"), request;
    int64_t begun = unix_ms(), asked;
    struct json lobby, entry, missing;

    /* Bob has a quiet channel, and one in which m3 does not show up. */
    receive(bob, wrap_native(alice, "quiet", "q1", "hello"));
    receive(bob, second);
    receive(bob, third);
    EXPECT(json_is(json_get(channel_of(bob, "quiet"), "waits"), "false"));
    EXPECT(json_is(json_get(channel_of(bob, "lobby"), "waits"), "true"));
    EXPECT_NUMBER(json_number(json_get(channel_of(bob, "lobby"), "incomingMessages")), 2);

    /* It is there, and waits for two others since it came; in ten minutes it is delivered without. */
    lobby = inspected(bob, "lobby");
    EXPECT(between(json_get(lobby, "inspectedAt"), begun, unix_ms()));
    EXPECT_TEXT(json_string(json_get(lobby, "participantId")), "bob");
    EXPECT_NUMBER(json_count(json_get(lobby, "log")), 0);
    entry = message_in(json_get(lobby, "incomingBuffer"), "m3");
    EXPECT_TEXT(json_string(json_get(entry, "senderId")), "alice");
    EXPECT(between(json_get(entry, "waitingSince"), begun, unix_ms()));
    EXPECT_NUMBER(json_number(json_get(entry, "givenUpAfter")) - json_number(json_get(entry, "waitingSince")), 600000);
    EXPECT_NUMBER(json_count(json_get(entry, "missingDependencies")), 2);

    /* One of them came and waits itself, the other did not: Alice has it, and Bob is going to ask. */
    EXPECT_TEXT(json_string(json_get(message_in(json_get(entry, "missingDependencies"), "m2"), "state")), "received");
    missing = message_in(json_get(entry, "missingDependencies"), lost_id);
    EXPECT_TEXT(json_string(json_get(missing, "state")), "scheduled");
    EXPECT_TEXT(json_string(json_get(missing, "senderId")), "alice");
    EXPECT_NUMBER(json_number(json_get(missing, "timesAsked")), 0);
    EXPECT(between(json_get(missing, "nextAskAt"), begun + 60, unix_ms() + 200));

    /* The log of the message's sender has it. To be asked, she must be reached: the next message of Bob asks. */
    EXPECT(message_in(json_get(inspected(alice, "lobby"), "log"), lost_id).start != NULL);
    while (unix_ms() <= json_number(json_get(missing, "nextAskAt")))
        sleep_ms(5);
    asked = unix_ms();
    request = wrap_native(bob, "lobby", "b1", "anybody there?");
    missing = message_in(json_get(message_in(json_get(inspected(bob, "lobby"), "incomingBuffer"), "m3"),
                                  "missingDependencies"),
                         lost_id);
    EXPECT_TEXT(json_string(json_get(missing, "state")), "asked");
    EXPECT_NUMBER(json_number(json_get(missing, "timesAsked")), 1);
    EXPECT(between(json_get(missing, "lastAskedAt"), asked, unix_ms()));
    EXPECT(json_number(json_get(missing, "nextAskAt")) > json_number(json_get(missing, "lastAskedAt")));

    /* Alice got the request and is going to answer. But nothing sweeps: she is not ticked. */
    receive(alice, request);
    lobby = inspected(alice, "lobby");
    entry = message_in(json_get(lobby, "incomingRepairBuffer"), lost_id);
    EXPECT(json_number(json_get(entry, "answerAt")) >= asked); /* at once: it is her own */
    EXPECT(json_is(json_get(json_get(lobby, "timers"), "begun"), "false"));
    tick(alice, unix_ms());
    EXPECT(json_is(json_get(json_get(inspected(alice, "lobby"), "timers"), "begun"), "true"));
    EXPECT(between(json_get(json_get(inspected(alice, "lobby"), "timers"), "nextRepairSweepAt"), asked + 4000,
                   unix_ms() + 5000));

    /* The answer comes, and all three are delivered. */
    receive(bob, lost);
    lobby = inspected(bob, "lobby");
    EXPECT_NUMBER(json_count(json_get(lobby, "incomingBuffer")), 0);
    EXPECT_NUMBER(json_count(json_get(lobby, "outgoingRepairBuffer")), 0);
    EXPECT(message_in(json_get(lobby, "log"), "m3").start != NULL);
    EXPECT_NUMBER(json_number(json_get(channel_of(bob, "lobby"), "logMessages")), 4);
    close_native(alice);
    close_native(bob);
}

/* The other side of the question: did mine arrive? */
static void why_is_this_message_not_acknowledged(void)
{
    void *alice = open_native("alice", config, NULL), *bob = open_native("bob", config, NULL);
    int64_t sent = unix_ms();
    struct bytes wire = wrap_native(alice, "lobby", "m1", "one");
    struct json entry = message_in(json_get(inspected(alice, "lobby"), "outgoingBuffer"), "m1");

    EXPECT(between(json_get(entry, "lastSentAt"), sent, unix_ms()));
    EXPECT_NUMBER(json_number(json_get(entry, "resends")), 0);
    EXPECT_NUMBER(json_number(json_get(entry, "resendsLeft")), 5);
    EXPECT(between(json_get(entry, "resendAfter"), sent + 50000, unix_ms() + 50000));
    EXPECT_NUMBER(json_number(json_get(entry, "possibleAcknowledgements")), 0);
    EXPECT(json_is(json_get(channel_of(alice, "lobby"), "waits"), "true"));
    receive(bob, wire);
    receive(alice, wrap_native(bob, "lobby", "b1", "cites m1"));
    EXPECT_NUMBER(json_count(json_get(inspected(alice, "lobby"), "outgoingBuffer")), 0);
    EXPECT(json_is(json_get(channel_of(alice, "lobby"), "waits"), "false"));
    close_native(alice);
    close_native(bob);
}

static void an_inspection_has_no_content_and_makes_no_channel(void)
{
    void *alice = open_native("alice", config, NULL);
    char *text = NULL, *error = NULL;

    wrap_native(alice, "lobby", "m1", "Xyzzy-plugh-content");
    EXPECT_STATUS(SdsInspect(alice, "lobby", &text, &error), SDS_OK);
    EXPECT(text != NULL && strstr(text, "Xyzzy") == NULL && strstr(text, "WHl6enkt") == NULL);
    SdsFree(text);
    EXPECT_WORDS(SdsInspect(alice, "nowhere", &text, &error), SDS_ERR_INVALID_ARGUMENT,
                 "libsds error: channel \"nowhere\": the channel is not in memory; "
                 "its first use or EnsureChannel loads it");
    EXPECT(text == NULL);
    EXPECT(channel_of(alice, "nowhere").start == NULL);
    close_native(alice);
}

static void every_metric_is_in_the_page(void)
{
    FILE *page = fopen("docs/metrics.md", "r"); /* hosts run where the Makefile is */
    char *listed = scratch(1 << 16), *text = NULL, *error = NULL;
    void *alice = open_native("alice", NULL, NULL);
    struct json key, metric;
    const char *at = NULL;
    int count = 0;

    if (EXPECT(page != NULL)) {
        EXPECT(fread(listed, 1, (1 << 16) - 1, page) > 0);
        fclose(page);
    }
    EXPECT_STATUS(SdsStats(alice, &text, &error), SDS_OK);
    while (json_next(json_get(json_parse(text, strlen(text)), "metrics"), &at, &key, &metric)) {
        char *name = json_string(json_get(metric, "name")), *row = scratch(strlen(name) + 10);

        sprintf(row, "| `%s` |", name);
        if (!EXPECT(strstr(listed, row) != NULL))
            printf("        %s\n", name);
        EXPECT(json_count(json_get(metric, "samples")) > 0);
        EXPECT(strstr(listed, json_string(json_get(metric, "help"))) != NULL);
        count++;
    }
    EXPECT(count > 30);
    SdsFree(text);
    close_native(alice);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(why_is_this_message_not_delivered);
    RUN(why_is_this_message_not_acknowledged);
    RUN(an_inspection_has_no_content_and_makes_no_channel);
    RUN(every_metric_is_in_the_page);
    return expect_end();
}
