/*
 * calls.c: the library as bytes use it. The input is a sequence of calls of both
 * APIs on a few contexts, with their arguments: payloads, ids, configurations,
 * snapshots, lengths at odds, pointers to nothing. Whatever it is, each call has to
 * keep the words of the header: a status that is listed, outputs that are there or
 * cleared, one callback, texts that are texts. Everything that the library hands out
 * is read to its end.
 *
 * With libFuzzer, AddressSanitizer and the counters of the Go compiler: see the
 * Makefile. replay.c runs inputs without a fuzzer.
 */
#include "input.h"
#include "keeper.h"

#include <libsds.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CONTEXTS = 3, POOL = 24, DEPTH = 3 };

static void *contexts[CONTEXTS];
static void *closed; /* one that was */
static struct span pool[POOL];
static size_t pool_next;
static struct input *current; /* what callbacks read their choices from */
static int depth;
static volatile uint8_t sink;

#define EXPECT(what)                                                                                                   \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "calls.c:%d: not so: %s\n", __LINE__, #what);                                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void touch(const void *data, size_t length)
{
    EXPECT(length == 0 || data != NULL);
    for (size_t i = 0; i < length; i++)
        sink ^= ((const uint8_t *)data)[i];
}

static void touch_text(const char *text)
{
    if (text != NULL)
        touch(text, strlen(text) + 1);
}

static void touch_dependencies(const SdsDependency *deps, size_t count)
{
    EXPECT((deps == NULL) == (count == 0));
    for (size_t i = 0; i < count; i++) {
        EXPECT(deps[i].messageId != NULL && deps[i].messageId[0] != '\0' && deps[i].senderId != NULL);
        EXPECT((deps[i].hint == NULL) == (deps[i].hintLen == 0));
        touch_text(deps[i].messageId);
        touch_text(deps[i].senderId);
        touch(deps[i].hint, deps[i].hintLen);
    }
}

/* What the library says can be said to it. */
static void remember(const void *payload, size_t length)
{
    if (length == 0 || length > 1 << 16)
        return;
    replace(&pool[pool_next], payload, length);
    pool_next = (pool_next + 1) % POOL;
}

static void one_call(struct input *in);

/* ---- callbacks ------------------------------------------------------------------ */

static void maybe_call_back(void)
{
    if (depth < DEPTH && next_byte(current) % 8 == 1)
        one_call(current);
}

static void on_event(const SdsEvent *event, void *user)
{
    EXPECT(user == (void *)contexts || user == NULL); /* the latter from options that end before it */
    EXPECT(event->size >= sizeof *event && event->type >= SDS_EVENT_MESSAGE_READY &&
           event->type <= SDS_EVENT_DEPENDENCIES_LOST);
    EXPECT((event->message == NULL) == (event->messageLen == 0));
    touch_text(event->channelId);
    touch_text(event->messageId);
    touch(event->message, event->messageLen);
    touch_dependencies(event->deps, event->depCount);
    for (size_t i = 0; i < event->channelCount; i++)
        touch_text(event->channelIds[i]);
    if (event->type == SDS_EVENT_REPAIR_READY || event->type == SDS_EVENT_RESEND_READY)
        remember(event->message, event->messageLen);
    maybe_call_back();
}

/* Counts, for who passed a counter. */
static void on_answer(int code, const char *text, size_t length, void *user)
{
    EXPECT(code == RET_OK || code == RET_ERR);
    EXPECT(length == 0 || text != NULL);
    if (text != NULL) {
        touch(text, length);
        EXPECT(text[length] == '\0');
        if (code == RET_OK && length > 40) /* a payload as text, or JSON: input of some kind */
            remember(text, length);
    }
    if (user != NULL)
        ++*(int *)user;
    maybe_call_back();
}

/* The hint is freed by the library. */
static void give_hint(const char *id, char **hint, size_t *length, void *user)
{
    static const size_t lengths[] = {0, 1, 5, 4096, 4097, SIZE_MAX};
    uint8_t choice = next_byte(current);

    (void)user;
    touch_text(id);
    *length = lengths[choice % 6];
    if (choice < 128) {
        *hint = malloc(*length <= 4097 ? *length + 1 : 8);
        memset(*hint, 'h', *length <= 4097 ? *length + 1 : 8);
    }
    if (*length == SIZE_MAX && *hint != NULL)
        *length = 8;
}

static void on_log(int level, const char *line, size_t length, void *user)
{
    (void)level;
    (void)user;
    touch(line, length);
    SdsFree(NULL);
    EXPECT(SdsStats(contexts[0], &(char *){NULL}, NULL) != SDS_OK);
}

/* ---- results -------------------------------------------------------------------- */

/* A native call says how it went: status and words, which are freed. */
static int told(int status, char *error)
{
    EXPECT(strcmp(SdsStatusString(status), SdsStatusString(-12345)) != 0);
    EXPECT(status != SDS_ERR && status != SDS_ERR_MISSING_CALLBACK && status != SDS_ERR_INTERNAL);
    EXPECT((status == SDS_OK) == (error == NULL));
    if (error != NULL)
        EXPECT(strncmp(error, "libsds error: ", 14) == 0);
    touch_text(error);
    SdsFree(error);
    return status == SDS_OK;
}

static void told_payload(int status, uint8_t *payload, size_t length, char *error)
{
    if (told(status, error)) {
        EXPECT(payload != NULL && length > 0);
        remember(payload, length);
    } else {
        EXPECT(payload == NULL && length == 0);
    }
    touch(payload, length);
    SdsFree(payload);
}

static void told_text(int status, char *text, char *error)
{
    EXPECT(told(status, error) == (text != NULL));
    touch_text(text);
    SdsFree(text);
}

/* A call with a result callback says so once, in both ways. */
static void told_back(int returned, int had_callback, int calls)
{
    EXPECT(returned == RET_OK || returned == RET_ERR || returned == RET_MISSING_CALLBACK);
    EXPECT(calls == (had_callback ? 1 : 0));
    EXPECT(had_callback || returned != RET_OK);
}

/* ---- arguments ------------------------------------------------------------------ */

static const char *const channels[] = {"c", "d", "channel of a longer name", "e", "f", "g"};
static const char *const ids[] = {"m", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "0123456789abcdef"};
static const char *const participants[] = {"alice", "bob", "carol"};
static const char *const configs[] = {
    "{\"maxMessageHistory\":3,\"bloomFilterCapacity\":8,\"maxCausalHistory\":2,\"repairTMinMs\":0,\"repairTMaxMs\":5}",
    "{\"maxMessageHistory\":3,\"bloomFilterCapacity\":8,\"wireFormat\":\"sds-0.3\",\"maxIncomingMessages\":2}",
    "{\"bloomFilterCapacity\":8,\"wireFormat\":\"lip-109\",\"maxRepairEntries\":2,\"maxOutgoingMessages\":2}",
    "{\"bloomFilterCapacity\":8,\"wireFormat\":\"sds-0.2\",\"maxContentBytes\":16,\"maxChannels\":2}",
    "{\"bloomFilterCapacity\":8,\"maxHistoryEntries\":2,\"maxIdBytes\":40,\"acceptUnknownChannels\":false}",
};

#define TEXT(list) next_text(in, list, sizeof list / sizeof list[0])

static int next_slot(struct input *in) { return next_byte(in) % CONTEXTS; }

static void *next_context(struct input *in)
{
    uint8_t choice = next_byte(in);

    switch (choice) {
    case 253: return NULL;
    case 254: return closed;
    case 255: return (void *)(uintptr_t)0x1000;
    }
    return contexts[choice % CONTEXTS];
}

static struct span next_payload(struct input *in)
{
    struct span payload, copy;
    uint8_t choice = next_byte(in);
    size_t at;

    if (choice >= 128)
        return next_odd_bytes(in);
    payload = pool[choice % POOL];
    copy = (struct span){keep_block(payload.data, payload.length), payload.length};
    if (copy.data == NULL)
        copy.length = 0;
    if (choice >= 96 && copy.length > 0) { /* damaged */
        at = next_short(in) % copy.length;
        ((uint8_t *)copy.data)[at] = next_byte(in);
    }
    return copy;
}

static size_t next_names(struct input *in, const char **names, size_t room)
{
    size_t count = next_byte(in) % (room + 1);

    for (size_t i = 0; i < count; i++)
        names[i] = TEXT(ids);
    return count;
}

static SdsCallBack next_callback(struct input *in) { return next_byte(in) % 16 == 15 ? NULL : on_answer; }

/* ---- calls ---------------------------------------------------------------------- */

static void close_slot(int slot)
{
    void *ctx = contexts[slot];
    int status;

    contexts[slot] = NULL;
    status = SdsClose(ctx);
    EXPECT(status == (ctx != NULL ? SDS_OK : SDS_ERR_INVALID_CONTEXT) || depth > 1);
    if (ctx != NULL)
        closed = ctx;
}

static void open_slot(struct input *in, int slot)
{
    SdsOptions options = {0};
    void *ctx = NULL;
    char *error = NULL;
    uint8_t flags = next_byte(in);

    options.size = flags & 1 && flags & 64 ? next_byte(in) : sizeof options;
    options.participantId = TEXT(participants);
    options.configJson = TEXT(configs);
    if (options.configJson != NULL && strstr(options.configJson, "store") != NULL)
        return; /* that is for files, and FuzzOpen is */
    options.persistence = flags & 2 ? next_table(in) : NULL;
    options.eventHandler = flags & 4 ? NULL : on_event;
    options.eventUserData = (void *)contexts;
    options.hintProvider = flags & 8 ? give_hint : NULL;
    if (flags & 128) {
        ctx = SdsNewReliabilityManagerWithConfig(options.participantId, options.configJson, next_callback(in), NULL);
    } else {
        int status = SdsOpen(flags == 0xff ? NULL : &options, &ctx, &error);

        EXPECT(told(status, error) == (ctx != NULL));
    }
    if (ctx == NULL)
        return;
    if (contexts[slot] != NULL) /* also one that a callback put there meanwhile */
        close_slot(slot);
    contexts[slot] = ctx;
}

static void native_call(struct input *in, uint8_t what)
{
    const char *channel, *names[8];
    uint8_t *payload = (uint8_t *)1;
    char *error = (char *)1, *text = (char *)1;
    size_t length = 1, count;
    SdsUnwrapped *unwrapped = (SdsUnwrapped *)1;
    struct span span;
    int64_t next = 0;
    void *ctx = next_context(in);
    int status;

    switch (what) {
    case 0:
        channel = TEXT(channels);
        names[0] = TEXT(ids);
        span = next_odd_bytes(in);
        status = SdsWrap(ctx, channel, names[0], span.data, span.length, &payload, &length, &error);
        told_payload(status, payload, length, error);
        break;
    case 1:
        status = SdsWrapSync(ctx, TEXT(channels), &payload, &length, &error);
        told_payload(status, payload, length, error);
        break;
    case 2:
        channel = TEXT(channels);
        names[0] = TEXT(ids);
        span = next_odd_bytes(in);
        status = SdsWrapEphemeral(ctx, channel, names[0], span.data, span.length, &payload, &length, &error);
        told_payload(status, payload, length, error);
        break;
    case 3:
        span = next_payload(in);
        status = SdsUnwrap(ctx, span.data, span.length, &unwrapped, &error);
        EXPECT(told(status, error) == (unwrapped != NULL));
        if (unwrapped != NULL) {
            EXPECT(unwrapped->size >= sizeof *unwrapped);
            EXPECT(unwrapped->kind >= SDS_KIND_CONTENT && unwrapped->kind <= SDS_KIND_EPHEMERAL);
            EXPECT(unwrapped->duplicate <= 1 && unwrapped->buffered <= 1);
            EXPECT(unwrapped->channelId[0] != '\0' && unwrapped->messageId[0] != '\0');
            touch(unwrapped->content, unwrapped->contentLen);
            touch_text(unwrapped->channelId);
            touch_text(unwrapped->messageId);
            touch_text(unwrapped->senderId);
            touch_dependencies(unwrapped->missing, unwrapped->missingCount);
        }
        SdsFree(unwrapped);
        break;
    case 4:
        channel = TEXT(channels);
        count = next_names(in, names, 8);
        if (next_byte(in) == 1)
            status = SdsMarkMet(ctx, channel, next_byte(in) % 2 ? names : NULL, SIZE_MAX, &error);
        else
            status = SdsMarkMet(ctx, channel, count > 0 ? names : NULL, count, &error);
        told(status, error);
        break;
    case 5: status = SdsEnsureChannel(ctx, TEXT(channels), &error); told(status, error); break;
    case 6: status = SdsDropChannel(ctx, TEXT(channels), &error); told(status, error); break;
    case 7: status = SdsReset(ctx, &error); told(status, error); break;
    case 8: {
        int64_t now = next_byte(in) % 8 == 0 ? next_number(in) : 1700000000000 + (int64_t)next_byte(in) * 7000;

        status = SdsTick(ctx, now, next_byte(in) % 8 == 0 ? NULL : &next, &error);
        if (told(status, error))
            EXPECT(next == 0 || next >= now);
        break;
    }
    case 9: status = SdsChannels(ctx, &text, &error); told_text(status, text, error); break;
    case 10: status = SdsInspect(ctx, TEXT(channels), &text, &error); told_text(status, text, error); break;
    case 11: status = SdsStats(ctx, &text, &error); told_text(status, text, error); break;
    case 12: status = SdsSetPersistence(ctx, next_table(in), NULL, &error); told(status, error); break;
    case 13:
        status = SdsSetEventHandler(ctx, next_byte(in) % 2 ? on_event : NULL, (void *)contexts);
        EXPECT(strcmp(SdsStatusString(status), SdsStatusString(-12345)) != 0);
        break;
    case 14: /* outputs that are NULL */
        span = next_payload(in);
        EXPECT(SdsUnwrap(ctx, span.data, span.length, NULL, NULL) != SDS_OK);
        EXPECT(SdsWrap(ctx, "c", "m", "x", 1, NULL, &length, NULL) != SDS_OK);
        EXPECT(SdsWrapSync(ctx, "c", &payload, NULL, NULL) != SDS_OK);
        EXPECT(SdsOpen(NULL, NULL, NULL) != SDS_OK);
        EXPECT(SdsChannels(ctx, NULL, NULL) != SDS_OK);
        break;
    case 15:
        count = next_byte(in);
        SdsSetLogHandler(count % 4 ? NULL : on_log, next_byte(in) % 8 - 2, NULL);
        touch_text(SdsStatusString((int)next_number(in)));
        touch_text(SdsVersion());
        EXPECT(SdsAbiVersion() == SDS_ABI_VERSION);
        break;
    }
}

static void callback_call(struct input *in, uint8_t what)
{
    void *ctx = next_context(in);
    SdsCallBack callback = next_callback(in);
    const char *names[8], *channel, *id;
    struct span span;
    int calls = 0, returned = RET_OK;
    size_t count;

    switch (what) {
    case 0:
        channel = TEXT(channels);
        id = TEXT(ids);
        span = next_odd_bytes(in);
        returned = SdsWrapOutgoingMessage(ctx, (void *)span.data, span.length, id, channel, callback, &calls);
        break;
    case 1:
        span = next_payload(in);
        returned = SdsUnwrapReceivedMessage(ctx, (void *)span.data, span.length, callback, &calls);
        break;
    case 2:
        count = next_names(in, names, 8);
        returned = SdsMarkDependenciesMet(ctx, count > 0 ? (char **)names : NULL, count, TEXT(channels), callback, &calls);
        break;
    case 3: returned = SdsResetReliabilityManager(ctx, callback, &calls); break;
    case 4: returned = SdsRemoveChannel(ctx, TEXT(channels), callback, &calls); break;
    case 5: returned = SdsStartPeriodicTasks(ctx, callback, &calls); break;
    case 6: SdsSetEventCallback(ctx, next_byte(in) % 2 ? on_answer : NULL, NULL); return;
    case 7: SdsSetRetrievalHintProvider(ctx, next_byte(in) % 2 ? give_hint : NULL, NULL); return;
    }
    told_back(returned, callback != NULL, calls);
}

/* What the keeper does from now on. */
static void give_orders(struct input *in)
{
    struct span span = next_bytes(in);

    orders = (struct input){span.data, (const uint8_t *)span.data + span.length};
}

static void one_call(struct input *in)
{
    uint8_t what = next_byte(in) % 27;

    depth++;
    if (what < 16)
        native_call(in, what);
    else if (what < 24)
        callback_call(in, what - 16);
    else if (what == 24 && depth == 1)
        open_slot(in, next_slot(in));
    else if (what == 25)
        close_slot(next_slot(in));
    else
        give_orders(in);
    depth--;
}

/*
 * Keeps the input in the file that SDS_LAST_INPUT names, length first: libFuzzer keeps
 * that of a process that aborts, but a Go runtime that gives up ends the process
 * without asking anybody.
 */
static void keep_input(const uint8_t *data, size_t size)
{
    enum { ROOM = 1 << 16 };
    static uint8_t *last;
    static int tried;
    const char *path;
    int file;

    if (!tried++ && (path = getenv("SDS_LAST_INPUT")) != NULL &&
        (file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644)) >= 0) {
        if (ftruncate(file, ROOM) == 0)
            last = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (last == MAP_FAILED)
            last = NULL;
        close(file);
    }
    if (last == NULL || size > ROOM - sizeof size)
        return;
    memcpy(last, &size, sizeof size);
    if (size > 0)
        memcpy(last + sizeof size, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};

    keep_input(data, size);
    current = &in;
    give_orders(&in);
    open_slot(&in, 0);
    open_slot(&in, 1);
    for (int calls = 0; in.at < in.end && calls < 200; calls++)
        one_call(&in);

    for (int i = 0; i < CONTEXTS; i++)
        if (contexts[i] != NULL)
            close_slot(i);
    SdsSetLogHandler(NULL, 0, NULL);
    for (int i = 0; i < POOL; i++)
        replace(&pool[i], NULL, 0);
    pool_next = 0;
    forget_everything();
    drop_blocks();
    return 0;
}
